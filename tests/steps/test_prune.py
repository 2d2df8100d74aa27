from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgekit.contract.step import Outcome
from edgekit.errors import StepError
from edgekit.project.project import Project
from edgekit.steps.prune import Prune
from edgekit.training.modules import saved_module
from tests.steps.conftest import artifact


def test_channels_keep_the_targets_multiple_and_the_module_gets_smaller(
    run_step: Callable[..., Outcome], tiny: Project
) -> None:
    done = run_step(Prune(ratio=0.5, epochs=1), tiny)
    module = saved_module(tiny, artifact(done.path))
    convolutions = [each for each in module.modules() if isinstance(each, nn.Conv2d)]
    assert {each.out_channels for each in convolutions} == {8}
    assert done.notes["parameters"] < 0.5 * done.notes["parameters_before"]
    assert done.notes["macs"] < 0.5 * done.notes["macs_before"]
    assert module(torch.zeros(2, 1, 8, 8)).shape == (2, 4), "the classes stay"


def test_a_ratio_that_takes_nothing_is_reported(run_step: Callable[..., Outcome], tiny: Project) -> None:
    with pytest.raises(StepError, match=r"found nothing to remove at ratio 0\.01"):
        run_step(Prune(ratio=0.01, epochs=1), tiny)
    with pytest.raises(StepError, match="found no attention heads to remove") as raised:
        run_step(Prune(ratio=0.5, epochs=1, units="heads"), tiny)
    assert "units" in raised.value.hint


def test_what_cannot_be_traced_is_no_small_student(run_step: Callable[..., Outcome], tiny: Project) -> None:
    model = (tiny.root / "model.py").read_text()
    shuffled = model.replace("self.first(image)", "shuffled(self.first(image))").replace(
        "self.second(features)", "shuffled(self.second(features))"
    )
    shuffled += """

def shuffled(x: Tensor) -> Tensor:
    return x.view(len(x), 2, x.shape[1] // 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
"""
    (tiny.root / "model.py").write_text(shuffled)
    with pytest.raises(StepError, match=r"prune can remove nothing: '.*' has mismatched channels") as raised:
        run_step(Prune(ratio=0.5, epochs=1), tiny)
    assert "small" not in raised.value.hint


def test_a_gradual_cut_leaves_the_shapes_of_one_cut(run_step: Callable[..., Outcome], tiny: Project) -> None:
    once, gradually = (run_step(Prune(ratio=0.5, epochs=6, gradual=each), tiny) for each in (False, True))
    shapes = [
        {name: tuple(each.shape) for name, each in saved_module(tiny, artifact(done.path)).state_dict().items()}
        for done in (once, gradually)
    ]
    assert shapes[0] == shapes[1]
    assert (once.notes["epochs"], gradually.notes["epochs"]) == (6, 6)
    assert {name: once.notes[name] for name in ("parameters", "macs", "heads", "outputs")} == {
        name: gradually.notes[name] for name in ("parameters", "macs", "heads", "outputs")
    }
    assert Prune(gradual=True, epochs=3).technique(None).gradual is False, "too few epochs for four cuts"


def test_epochs_are_spread_over_the_cuts() -> None:
    step = Prune(ratio=0.5, epochs=6, gradual=True)
    assert [each.schedule.epochs for each in step._trainings()] == [1, 1, 1, 3]
    assert [each.schedule.epochs for each in Prune(epochs=6)._trainings()] == [6]
