from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.fetching import relock as module
from edgekit.fetching.lock import Lock, Wheels, write_lock
from edgekit.fetching.packages import Packages
from edgekit.fetching.relock import relock
from edgekit.records import read_json, validate
from tests.indices import use_mirror, write_package, write_wheel


def test_a_lock_of_everything_that_targets_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With wheels made here instead of the public index's."""

    def resolve(wheels: Wheels, folder: Path, hint: str, *, configured: bool) -> None:
        assert hint and not configured
        write_wheel(folder, wheels.runtime.name, wheels.runtime.version)

    monkeypatch.setattr(module, "resolve_wheels", resolve)
    write_package(tmp_path, "top", "2.0")
    use_mirror(tmp_path, monkeypatch)
    digest = f"sha256:{'0' * 64}"
    made = relock([Packages("own", "arm64", ("top",))], {"debian:bookworm-slim": digest})
    assert "onnxruntime-1.32.0-cp314-aarch64" in made.wheels and "tflite-runtime-2.14.0-cp311-armv7l" in made.wheels
    assert "tflite-runtime-2.14.0-cp312-aarch64" not in made.wheels
    assert list(made.packages["own-arm64"]) == ["top_2.0_all.deb"] and made.images["debian:bookworm-slim"] == digest
    write_lock(made, tmp_path / "lock.json")
    assert validate(Lock, read_json(tmp_path / "lock.json", InputError, ""), "", InputError) == made
