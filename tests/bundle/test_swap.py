import errno
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgekit.bundle import swap
from edgekit.bundle.swap import exchange, replace_folder


def made(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_text(content)
    return folder


@pytest.fixture(params=["exchange", "links"])
def dist(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose file system exchanges folders, or refuses to, as some do."""

    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, "refused", str(one), None, str(other))

    if request.param == "links":
        monkeypatch.setattr(swap, "exchange", refuse)
    (tmp_path / "dist").mkdir()
    return tmp_path / "dist"


def put(dist: Path, content: str) -> None:
    (dist / "work").mkdir(exist_ok=True)
    replace_folder(made(dist / "work" / f"new-{content}", content), dist / "rpi4")


def test_a_folder_takes_the_place_of_another(dist: Path) -> None:
    for content in ("one", "two", "three"):
        put(dist, content)
        assert (dist / "rpi4" / "file").read_text() == content
    kept = {path.read_text() for path in dist.rglob("file")} - {"one", "two"}
    assert kept == {"three"}, "at most the replaced folders are left, in the work folder"
    versions = dist / ".edgekit-versions"
    assert not versions.exists() or len(list(versions.iterdir())) == 1


def test_there_is_a_whole_folder_at_any_time(dist: Path) -> None:
    put(dist, "first")
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add((dist / "rpi4").is_dir())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        put(dist, str(number))
    stop.set()
    reader.join()
    assert seen == {True}


def test_a_real_folder_becomes_a_link_where_folders_cannot_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "one")
    monkeypatch.setattr(swap, "_can_exchange", lambda _: False)
    put(tmp_path, "two")
    assert (tmp_path / "rpi4").is_symlink() and (tmp_path / "rpi4" / "file").read_text() == "two"
    left = tmp_path / ".edgekit-versions"
    made(left / "rpi4-killed", "half")
    (left / "link-killed").symlink_to("rpi4-killed")
    put(tmp_path, "three")
    assert len(list(left.iterdir())) == 1 and (tmp_path / "rpi4" / "file").read_text() == "three"


def test_a_system_without_the_call_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    with pytest.raises(OSError) as found:
        exchange(tmp_path / "a", tmp_path / "b")
    assert found.value.errno == errno.ENOSYS


KILLED = """
import os, signal, sys
from edgekit.bundle import swap
from pathlib import Path
from tests.bundle.test_swap import put
real, when = swap.exchange, sys.argv[2]
def kill(one, other):
    if when == "before" and other.name == "rpi4":
        os.kill(os.getpid(), signal.SIGKILL)
    real(one, other)
    if other.name == "rpi4":
        os.kill(os.getpid(), signal.SIGKILL)
swap.exchange = kill
put(Path(sys.argv[1]), "new")
"""


@pytest.mark.parametrize(("when", "content"), [("before", "old"), ("after", "new")])
def test_a_kill_in_the_swap_leaves_a_whole_folder(tmp_path: Path, when: str, content: str) -> None:
    put(tmp_path, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), when], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "rpi4" / "file").read_text() == content
