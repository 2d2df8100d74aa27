from dataclasses import replace
from typing import Any

import pytest

from edgekit.contract.step import DISTURBED, Outcome
from edgekit.errors import EntryPointError
from edgekit.execution.driver import Driver, StepRun
from edgekit.planning.plan import plan_of
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.steps.export import Export
from edgekit.target_files import find_target
from tests.notes import Notes

RPI4 = find_target("rpi4")
STEPS = [{"use": "train", "epochs": 1}, {"use": "export"}]


def ran(project: Project, *, again: bool = False) -> tuple[Driver, list[StepRun]]:
    driver = Driver(project, Silent(), again=again)
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


@pytest.mark.parametrize(("again", "cached"), [(False, True), (True, False)])
def test_a_step_that_measures_time_runs_again_on_request(
    tiny: Project, monkeypatch: pytest.MonkeyPatch, again: bool, cached: bool
) -> None:
    monkeypatch.setattr(Export, "is_timed", lambda *_: True)
    ran(tiny)
    _, runs = ran(tiny, again=again)
    assert [run.cached for run in runs[:2]] == [True, cached]


def test_a_step_on_a_disturbed_machine_runs_again(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Export.run

    def disturbed(*given: Any) -> Outcome:
        done = run(*given)
        return replace(done, notes={**done.notes, DISTURBED: ["the CPU throttled"]})

    monkeypatch.setattr(Export, "run", disturbed)
    for _ in range(2):
        assert not ran(tiny)[1][1].cached
    monkeypatch.undo()
    assert not ran(tiny)[1][1].cached and ran(tiny)[1][1].cached


def test_the_scores_of_samples_make_up_the_metric(tiny: Project) -> None:
    driver, runs = ran(tiny)
    for run in runs:
        scores = driver.scores(run.artifact, RPI4)
        assert scores is not None and set(scores.tolist()) <= {0.0, 100.0}
        assert run.metric == pytest.approx(float(scores.mean()), abs=1e-4)


@pytest.mark.parametrize("choice", ["kept", "re-estimated"])
def test_a_model_that_fails_in_evaluation_mode_alone_is_warned_of(tiny: Project, choice: str) -> None:
    code = tiny.root / "model.py"
    code.write_text(code.read_text().replace("BatchNorm2d(width)", "BatchNorm2d(width, momentum=0.001)"))
    steps = [{"use": "train", "epochs": 10, "batch_norm": choice}, {"use": "export"}]
    heard = Notes()
    planned = plan_of(recipe_from("short", steps, "short"), tiny.roles).steps[0]
    for _ in range(2):
        heard.texts.clear()
        run = Driver(tiny, heard).step_run(RPI4, planned, [], 2)
        assert bool(run.warning) is (choice == "kept"), run
    items = [each for each in heard.texts if "in evaluation mode" in each]
    assert items == ([f"train: {run.warning}"] if choice == "kept" else [])


def test_what_data_says_of_itself_is_told_and_kept(tiny: Project) -> None:
    data = tiny.root / "data.py"
    marked = "made = images(48, 3)\n    made.about = 'drawn'\n    return made"
    data.write_text(data.read_text().replace("return images(48, 3)", marked))
    for _ in range(2):
        driver, runs = ran(tiny)
        assert {driver.about(run.artifact, RPI4) for run in runs} == {"drawn"}
    assert runs[0].cached


def test_a_function_named_wrongly_is_found_before_the_first_work_and_only_then(tiny: Project) -> None:
    wrong = tiny.copy_with(loss="model:absent")
    with pytest.raises(EntryPointError, match="has no function 'absent'"):
        ran(wrong)
    assert not list(wrong.cache_folder.rglob("*.safetensors")), "nothing was trained"
    ran(tiny)
    _, runs = ran(tiny.copy_with(metric="accuracy", model=tiny.model.copy_with(teacher="gone:teacher")))
    assert runs[0].cached, "the teacher is not needed"
