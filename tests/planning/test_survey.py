import subprocess
import sys

from edgekit.planning.survey import known_survey, survey_key
from edgekit.project.project import Project, load_project
from edgekit.traits import Role


def test_nothing_is_known_before_anyone_looks(tiny: Project) -> None:
    assert known_survey(tiny, Role.STUDENT) is None


def test_the_key_follows_what_decides_a_survey(tiny: Project) -> None:
    key = survey_key(tiny, Role.STUDENT)
    assert key != survey_key(tiny, Role.TEACHER)
    assert key == survey_key(load_project(tiny.root), Role.STUDENT)
    (tiny.root / "data.py").write_text((tiny.root / "data.py").read_text() + "\nMORE = 1\n")
    assert key != survey_key(load_project(tiny.root), Role.STUDENT)


def test_looking_up_needs_no_torch(tiny: Project) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom edgekit.project.project import load_project\n"
        "from edgekit.planning.survey import known_survey\nfrom edgekit.traits import Role\n"
        f"known_survey(load_project(Path({str(tiny.root)!r})), Role.STUDENT)\nprint(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "onnx", "onnxruntime", "numpy"} & set(done.stdout.split())
