from pathlib import Path

import pytest

from edgekit.errors import EmulatorError, RunnerError
from edgekit.host import Host
from edgekit.runners import choice
from edgekit.runners.choice import runner_for
from edgekit.runners.native import NativeRunner
from edgekit.runners.qemu import QemuRunner
from edgekit.target_files import find_target


def test_a_machine_that_is_the_target_measures_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "this_host", lambda: Host("aarch64", frozenset({"neon"}), "0xd08", "BCM2711"))
    assert isinstance(runner_for(find_target("rpi4")), NativeRunner)


def test_any_other_machine_emulates_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "this_host", lambda: Host("x86_64", frozenset({"avx2"}), "", "Haswell"))
    assert isinstance(runner_for(find_target("rpi4")), QemuRunner)
    assert isinstance(runner_for(find_target("x86-avx2")), NativeRunner)
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    for name in ("rpi4", "x86-vnni"):
        with pytest.raises(EmulatorError):
            runner_for(find_target(name))


def test_a_runner_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "this_host", lambda: Host("x86_64", frozenset({"avx2"}), "", "Haswell"))
    assert isinstance(runner_for(find_target("x86-avx2"), "qemu"), QemuRunner)
    assert isinstance(runner_for(None, "native"), NativeRunner)
    assert isinstance(runner_for(None), NativeRunner)


@pytest.mark.parametrize(
    ("target", "wanted", "error", "message"),
    [
        ("rpi4", "native", EmulatorError, "this machine is not a rpi4"),
        ("", "qemu", RunnerError, "needs a target"),
        ("", "container", RunnerError, "needs a target"),
        ("rpi4", "qmeu", RunnerError, "no runner 'qmeu'"),
        ("", "ssh", RunnerError, "no runner 'ssh'"),
    ],
)
def test_a_runner_that_cannot_be_had_says_why(
    target: str, wanted: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "this_host", lambda: Host("x86_64", frozenset({"avx2"}), "", "Haswell"))
    with pytest.raises(error, match=message):
        runner_for(find_target(target) if target else None, wanted)
