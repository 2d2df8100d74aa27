import errno
import fcntl
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.locks import own, seize, share


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def test_readers_share_and_a_remover_is_alone(file: Path) -> None:
    one, other = share(file), share(file)
    assert one and other and seize(file) is None
    one.release()
    assert seize(file) is None
    other.release()
    alone = seize(file)
    assert alone and share(file) is None and own(file) is None


def test_a_lock_ends_with_its_last_reference(file: Path) -> None:
    hold = share(file)
    assert hold and seize(file) is None
    del hold
    assert seize(file) is not None


def test_a_lock_ends_with_a_process_that_is_killed(file: Path) -> None:
    script = "import sys; from pathlib import Path; from edgekit.locks import own\n"
    script += "hold = own(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        assert seize(file) is None and share(file) is None
        process.kill()
        process.wait()
    assert seize(file) is not None


def test_a_file_that_is_absent_removed_or_a_link_is_not_locked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert share(file.with_name("absent")) is None
    (link := file.with_name("link")).symlink_to(file)
    assert share(link) is None
    lock = fcntl.flock

    def removed_meanwhile(descriptor: int, kind: int) -> None:
        lock(descriptor, kind)
        file.unlink()

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    assert own(file) is None


def test_without_locks_files_are_held_and_none_is_seized(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert share(file) and own(file) and seize(file) is None


def test_more_locks_than_the_limit_of_open_files(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = len(list(Path("/proc/self/fd").iterdir())) + 64
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
    try:
        holds = []
        for number in range(soft):
            (tmp_path / str(number)).touch()
            holds.append(share(tmp_path / str(number)))
        assert all(holds)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
