from pathlib import Path

import pytest

from edgekit.figures.intervals import Interval
from edgekit.figures.ratios import Ratio
from edgekit.project.project import Project, load_project
from edgekit.studies.results import StepAblation, StepRecord, subject_of, verdict_of
from edgekit.traits import Role
from tests.conftest import MakeProject

NOTHING = Interval(0.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("points", "sizes", "latency", "worth"),
    [
        (NOTHING, (100, 100), None, False),
        (Interval(1.0, 0.5, 1.5), (100, 100), None, True),
        (NOTHING, (99, 100), None, True),
        (NOTHING, (100, 100), Ratio(0.8, 0.7, 0.9), True),
        (NOTHING, (101, 100), Ratio(0.99, 0.9, 1.1), False),
        (Interval(1.0, None, None), (100, 100), None, False),
    ],
)
def test_a_step_is_worth_its_stage_by_metric_bytes_or_time(
    points: Interval, sizes: tuple[int, int], latency: Ratio | None, worth: bool
) -> None:
    result = StepAblation(StepRecord("prune", Role.STUDENT, {}), "without", points, *sizes, latency)
    assert result.is_worth_it is worth


@pytest.mark.parametrize("name", ["model.py", "data.py"])
def test_a_study_is_about_the_models_the_data_and_the_metric(tiny: Project, name: str) -> None:
    before = subject_of(tiny)
    assert set(before) == {"teacher", "student", "train", "evaluation", "data_files", "metric"}
    (tiny.root / name).write_text((tiny.root / name).read_text() + "\n# changed\n")
    assert subject_of(load_project(tiny.root)) != before


def test_files_of_the_data_count(make_project: MakeProject) -> None:
    folder: Path = make_project({"data_files = []": 'data_files = ["*.bin"]'})
    (folder / "some.bin").write_bytes(b"0")
    before = subject_of(load_project(folder))
    (folder / "more.bin").write_bytes(b"1")
    assert subject_of(load_project(folder))["data_files"] != before["data_files"]


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        (Interval(-5, -7, -3), "poor"),
        (Interval(-0.5, -0.7, -0.3), "moderate"),
        (Interval(-5, -11, 1), "moderate"),
        (Interval(2, 1, 3), "good"),
        (Interval(-5, None, None), "moderate"),
    ],
)
def test_only_a_large_loss_that_is_certain_is_poor(points: Interval, verdict: str) -> None:
    assert verdict_of(points, "%", 90) == verdict
