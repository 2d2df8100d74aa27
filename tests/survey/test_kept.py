import subprocess
import sys
from dataclasses import replace

from edgekit.data.splits import Splits
from edgekit.project.project import Project, load_project
from edgekit.pruning.share import PrunableUnits
from edgekit.survey.kept import known_surveys, survey_model
from edgekit.traits import Role


def test_nothing_is_known_before_anyone_looks(tiny: Project) -> None:
    assert known_surveys(tiny) == {Role.TEACHER: None, Role.STUDENT: None}


def test_looking_up_needs_no_torch(tiny: Project) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom edgekit.project.project import load_project\n"
        "from edgekit.survey.kept import known_surveys\n"
        f"known_surveys(load_project(Path({str(tiny.root)!r})))\nprint(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "onnx", "onnxruntime", "numpy"} & set(done.stdout.split())


def test_a_survey_is_kept_until_the_sources_change(tiny: Project) -> None:
    found = survey_model(tiny, Splits(tiny), Role.STUDENT)
    assert known_surveys(tiny) == {Role.TEACHER: None, Role.STUDENT: found}
    assert survey_model(tiny, Splits(tiny), Role.STUDENT) == found, "its seconds were not taken again"
    (tiny.root / "model.py").write_text((tiny.root / "model.py").read_text() + "\n# changed\n")
    assert known_surveys(load_project(tiny.root))[Role.STUDENT] is None


def test_what_can_be_pruned_is_searched_for_on_request_and_kept(tiny: Project) -> None:
    bare = survey_model(tiny, Splits(tiny), Role.STUDENT)
    assert bare.prunable is None
    found = survey_model(tiny, Splits(tiny), Role.STUDENT, prunable=True)
    assert found == replace(bare, prunable=PrunableUnits({"first.0": (16, 1), "second.0": (16, 1)}, {}, {}))
    assert known_surveys(load_project(tiny.root))[Role.STUDENT] == found
    assert survey_model(tiny, Splits(tiny), Role.STUDENT) == found
