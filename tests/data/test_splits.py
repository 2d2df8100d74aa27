import pytest

from edgekit.builds.build import build
from edgekit.data.splits import Splits
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.target_files import find_target
from edgekit.traits import Data
from tests.conftest import MakeProject

COUNTING = """

def _counted(name, function):
    def call():
        with open("CALLS", "a") as file:
            file.write(name + "\\n")
        return function()
    return call

train, calibration, evaluation = (_counted(f.__name__, f) for f in (train, calibration, evaluation))
"""


def test_a_split_is_opened_when_it_is_wanted_and_once(tiny: Project) -> None:
    splits = Splits(tiny)
    assert splits[Data.TRAIN] is splits[Data.TRAIN]
    assert splits[Data.TRAIN] is not splits[Data.EVALUATION]


@pytest.mark.slow
def test_a_cold_build_calls_each_data_function_once_and_a_warm_one_none(make_project: MakeProject) -> None:
    folder = make_project({"data_files = []\n": ""})
    calls = folder / "calls"
    (folder / "data.py").write_text((folder / "data.py").read_text() + COUNTING.replace("CALLS", str(calls)))
    targets = [find_target("rpi4"), find_target("x86-vnni")]
    build(load_project(folder), targets, Silent())
    assert sorted(calls.read_text().split()) == ["calibration", "evaluation", "train"]
    calls.unlink()
    build(load_project(folder), targets, Silent())
    assert not calls.exists()
