from edgekit.project.project import Project, load_project
from edgekit.survey.survey import prunable_key, survey_key
from edgekit.traits import Role


def test_the_key_follows_what_decides_a_survey(tiny: Project) -> None:
    key = survey_key(tiny, Role.STUDENT)
    assert key != survey_key(tiny, Role.TEACHER)
    prunable = prunable_key(tiny, Role.STUDENT)
    assert prunable != key
    assert key == survey_key(load_project(tiny.root), Role.STUDENT)
    (tiny.root / "data.py").write_text((tiny.root / "data.py").read_text() + "\nMORE = 1\n")
    assert key != survey_key(load_project(tiny.root), Role.STUDENT)
    assert prunable != prunable_key(load_project(tiny.root), Role.STUDENT)
