from pathlib import Path

import pytest

from edgekit.errors import EmulatorError
from edgekit.host import Host
from edgekit.runners import choice
from edgekit.runners.choice import runner_for
from edgekit.runners.native import NativeRunner
from edgekit.runners.qemu import QemuRunner
from edgekit.target import find_target


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
