import pytest

from edgekit.execution.driver import Driver, StepRun
from edgekit.planning.plan import plan_of
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.target import find_target

RPI4 = find_target("rpi4")
STEPS = [{"use": "train", "epochs": 1}, {"use": "export"}]


def ran(project: Project) -> tuple[Driver, list[StepRun]]:
    driver = Driver(project, Silent())
    runs: list[StepRun] = []
    for planned in plan_of(recipe_from("short", STEPS, "short"), project.roles).steps:
        runs.append(driver.step_run(RPI4, planned, runs, 2))
    return driver, runs


def test_steps_run_once_and_come_from_the_cache_afterwards(tiny: Project) -> None:
    _, first = ran(tiny)
    _, second = ran(tiny)
    assert [run.cached for run in first[:2]] == [False, False]
    assert [run.cached for run in second[:2]] == [True, True]
    assert [run.artifact for run in first] == [run.artifact for run in second]
    assert first[1].artifact.parents == (first[0].artifact.digest,)


def test_the_scores_of_samples_make_up_the_metric(tiny: Project) -> None:
    driver, runs = ran(tiny)
    for run in runs:
        scores = driver.scores(run.artifact)
        assert scores is not None and set(scores.tolist()) <= {0.0, 100.0}
        assert run.metric == pytest.approx(float(scores.mean()), abs=1e-4)
