from pathlib import Path

import pytest

from edgekit.figures.intervals import Interval
from edgekit.figures.ratios import Ratio
from edgekit.project.project import Project, load_project
from edgekit.studies.results import StepAblation, StepRecord, subject_of, verdict_of
from edgekit.traits import Role
from tests.conftest import MakeProject

NOTHING, OPEN = Interval(0.0, -0.5, 0.5), Interval(6.0, -2.0, 14.0)


@pytest.mark.parametrize(
    ("points", "sizes", "macs", "latency", "pays_off"),
    [
        (NOTHING, (100, 100), (9, 9), None, False),
        (Interval(1.0, 0.5, 1.5), (100, 100), (9, 9), None, True),
        (NOTHING, (90, 100), (None, None), None, True),
        (NOTHING, (999, 1000), (9, 9), None, False),
        (NOTHING, (100, 100), (9, 9), Ratio(0.8, 0.7, 0.9), True),
        (NOTHING, (101, 100), (9, 9), Ratio(1.0, 0.99, 1.1), False),
        (NOTHING, (101, 100), (9, 9), Ratio(0.99, 0.9, 1.1), None),
        (NOTHING, (100, 100), (5, 9), None, True),
        (NOTHING, (100, 100), (None, 9), None, None),
        (Interval(-5.0, -7.0, -3.0), (100, 100), (9, 9), None, False),
        (OPEN, (100, 100), (9, 9), None, None),
        (OPEN, (90, 100), (9, 9), None, True),
        (Interval(-11.5, None, None), (100, 100), (9, 9), None, None),
    ],
)
def test_a_step_pays_off_by_metric_bytes_or_time_or_that_is_undecided(
    points: Interval,
    sizes: tuple[int, int],
    macs: tuple[int | None, int | None],
    latency: Ratio | None,
    pays_off: bool | None,
) -> None:
    step = StepRecord("prune", Role.STUDENT, {})
    assert StepAblation(step, "without", points, 0.95, 1.0, *sizes, *macs, latency).pays_off is pays_off


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
        (Interval(-5, -9.5, -0.5), "moderate"),
        (Interval(-0.5, -0.7, -0.3), "moderate"),
        (Interval(0.1, -0.5, 0.7), "moderate"),
        (Interval(-5, -11, 1), None),
        (Interval(1.63, -12.1, 15.36), None),
        (Interval(2, 1, 3), "good"),
        (Interval(-5, None, None), None),
    ],
)
def test_only_a_large_loss_that_is_certain_is_poor(points: Interval, verdict: str | None) -> None:
    assert verdict_of(points, 1.0) == verdict
