import pytest

from edgekit.errors import ContainerError, RunnerError
from edgekit.progress import Silent
from edgekit.runners.preparation import prepare_targets
from edgekit.target_files import find_target


def test_each_emulator_is_described() -> None:
    ready = list(prepare_targets([find_target("rpi4"), find_target("rpi5")], "qemu", Silent()))
    assert [(each.target, each.runner) for each in ready] == [("rpi4", "qemu"), ("rpi5", "qemu")]
    assert "-cpu cortex-a76, onnxruntime" in ready[1].what


def test_what_cannot_be_prepared_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunnerError, match="there is no runner 'contain' to prepare") as raised:
        list(prepare_targets([find_target("rpi4")], "contain", Silent()))
    assert raised.value.hint == "did you mean 'container'?"
    with pytest.raises(RunnerError, match="a base image is for the runner container"):
        list(prepare_targets([find_target("rpi4")], "qemu", Silent(), "debian:12"))
    monkeypatch.setenv("EDGEKIT_CONTAINER", "no-such-engine")
    with pytest.raises(ContainerError, match="there is no no-such-engine"):
        list(prepare_targets([find_target("rpi4")], "container", Silent()))
