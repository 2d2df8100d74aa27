from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.fetching import lock as module
from edgekit.fetching.lock import PYTHONS, Lock, Wheels, digests_in, folder_name, lock_of, record_digests, shipped_lock
from edgekit.fetching.packages import emulator_packages, guest_packages
from edgekit.target import Runtime
from edgekit.target_files import load_targets

ONE = Wheels(Runtime(name="onnxruntime", version="9.9.9"), "aarch64", "311")


def test_every_runtime_of_every_target_is_pinned() -> None:
    lock = shipped_lock()
    for target in load_targets()[0]:
        for runtime in (target.runtime, *target.runtimes):
            for python in PYTHONS:
                newest = runtime.spec.newest_python
                if newest is None or int(python[1:]) <= newest[1]:
                    files = lock.wheels[Wheels(runtime, target.arch, python).name]
                    assert any(runtime.version in name for name in files)
        assert lock.packages[guest_packages(target.arch).name]
    assert lock.packages[emulator_packages("x86_64").name] and lock.packages[emulator_packages("aarch64").name]


def test_other_files_are_kept_elsewhere() -> None:
    assert folder_name("a", {"x.whl": "0"}) != folder_name("a", {"x.whl": "1"})
    assert str(ONE) == "onnxruntime 9.9.9 for aarch64 and Python 3.11"


def test_the_users_own_digests_are_added(tmp_path: Path) -> None:
    record_digests(tmp_path, "wheels", ONE.name, {"onnxruntime-9.9.9-py3-none-any.whl": "0" * 64})
    record_digests(tmp_path, "packages", "more-arm64", {"more_1%3a2_arm64.deb": "1" * 64})
    found = lock_of(tmp_path)
    assert found.wheels[ONE.name] == {"onnxruntime-9.9.9-py3-none-any.whl": "0" * 64}
    assert found.packages["more-arm64"] and set(shipped_lock().wheels) < set(found.wheels)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"wheels": {"a": {"../x.whl": "0"}}}', '{"wheels": {"a": {"x.whl": "0"}}}']
)
def test_a_damaged_lock_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(InputError, match=r"lock\.json") as failed:
        lock_of(tmp_path)
    assert failed.value.hint


def test_the_digests_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "shipped_lock", Lock)
    (tmp_path / "a.whl").write_bytes(b"")
    (tmp_path / "b.deb").write_bytes(b"")
    assert list(digests_in(tmp_path, "whl")) == ["a.whl"] and lock_of(tmp_path) == Lock()
