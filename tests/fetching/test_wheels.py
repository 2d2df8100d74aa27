from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.fetching import kept, lock
from edgekit.fetching.lock import Lock, Wheels, lock_of
from edgekit.fetching.source import Source
from edgekit.fetching.wheels import download_wheel_files, fetch_wheels, kept_wheels
from edgekit.progress import Silent
from edgekit.target import Runtime
from tests.indices import sha256, use_index, write_wheel
from tests.notes import Notes

WHEELS = Wheels(Runtime(name="tflite-runtime", version="9.9"), "armv7l", "311")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with a runtime that the lock pins."""
    wheel = write_wheel(tmp_path / "index", "tflite-runtime", "9.9")
    use_index(tmp_path / "index", monkeypatch)
    monkeypatch.setattr(lock, "shipped_lock", lambda: Lock({WHEELS.name: {wheel.name: sha256(wheel)}}))
    return tmp_path / "index"


@pytest.mark.usefixtures("index")
def test_wheels_are_fetched_once_and_again_where_they_were_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, folder = Notes(), tmp_path / "kept"
    assert kept_wheels(folder, WHEELS) is None
    first = fetch_wheels(folder, WHEELS, Source(), "", notes)
    assert fetch_wheels(folder, WHEELS, Source(), "", notes) == first == kept_wheels(folder, WHEELS)
    assert len(notes.texts) == 1
    (first / "tflite_runtime.py").write_text("X = 2\n")
    monkeypatch.setattr(kept, "_SOUND", set())
    assert kept_wheels(folder, WHEELS) is None
    assert fetch_wheels(folder, WHEELS, Source(), "", notes) == first
    assert (first / "tflite_runtime.py").read_text() == "X = 1\n" and len(notes.texts) == 2
    assert {each.name for each in folder.iterdir()} == {first.name, f"{first.name}.sealed", "wheels.lock"}


@pytest.mark.usefixtures("index")
def test_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    download_wheel_files(tmp_path, WHEELS, taken, Source(), "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "file:///no-such-index")
    assert fetch_wheels(tmp_path / "kept", WHEELS, Source(taken), "", Silent()).is_dir()
    next(taken.glob("*.whl")).write_bytes(b"another")
    with pytest.raises(FetchError, match="taken serves another"):
        fetch_wheels(tmp_path / "other", WHEELS, Source(taken), "", Silent())


def test_what_is_not_pinned_is_refused_or_recorded(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "tflite-runtime", "9.10")
    other = Wheels(Runtime(name="tflite-runtime", version="9.10"), "armv7l", "311")
    for source in (Source(), Source(index), Source(index, unpinned=True)):
        with pytest.raises(FetchError, match=r"pins no tflite-runtime 9\.10 for armv7l and Python 3\.11") as failed:
            fetch_wheels(tmp_path / "kept", other, source, "do so", Silent())
        assert failed.value.hint == "do so"
    page = index / "simple" / "tflite-runtime" / "index.html"
    wheel = next(index.glob("*9.10*.whl"))
    page.write_text(f'<a href="{wheel.as_uri()}">{wheel.name}</a>')
    first = fetch_wheels(tmp_path / "kept", other, Source(unpinned=True), "", Silent())
    assert lock_of(tmp_path / "kept").wheels[other.name] == {wheel.name: sha256(wheel)}
    assert fetch_wheels(tmp_path / "kept", other, Source(), "", Silent()) == first
