import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import errors
from edgekit.errors import (
    EdgekitError,
    StorageError,
    all_lines,
    did_you_mean,
    first_line,
    last_line,
    storage_errors,
    type_and_line,
)
from edgekit.files import write_bytes


def test_the_docstring_draws_every_error_of_the_tree() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, EdgekitError)]
    assert len(kinds) > 10
    assert all(each.__name__ in (errors.__doc__ or "") for each in kinds)


def test_a_near_word_is_proposed_and_else_the_known_ones() -> None:
    assert did_you_mean("rpi44", ["rpi4", "x86-avx2"]) == "did you mean 'rpi4'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_a_disk_that_takes_nothing_is_a_storage_error(number: int) -> None:
    with pytest.raises(StorageError) as raised, storage_errors(Path("place")):
        raise OSError(number, os.strerror(number))
    assert "place" in raised.value.message
    assert raised.value.hint


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("message", "first", "last"),
    [
        ("one", "one", "one"),
        ("\n  one \n\ntwo\n three\n", "one", "three"),
        ("", "no message", "no message"),
        (" \n\t\n", "no message", "no message"),
        ("\x1b[31mred\x00", "[31mred", "[31mred"),
        ("x" * 999, "x" * 300 + "...", "x" * 300 + "..."),
        (ValueError("one\ntwo"), "one", "two"),
        (ValueError(), "ValueError", "ValueError"),
        (ValueError(""), "ValueError", "ValueError"),
        (Mute(), "Mute", "Mute"),
    ],
)
def test_anybodys_message_gives_a_line(message: Exception | str, first: str, last: str) -> None:
    assert first_line(message) == first
    assert last_line(message) == last


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError("\n"), "ValueError without a message"),
        (Mute(), "Mute without a message"),
    ],
)
def test_an_exception_is_told_with_its_type(error: Exception, told: str) -> None:
    assert type_and_line(error) == told


def test_another_fault_of_the_system_is_left_alone() -> None:
    with pytest.raises(OSError, match="no such"), storage_errors(Path("place")):
        raise OSError(errno.ENOENT, "no such")


@pytest.mark.parametrize(("place", "converted"), [("cache", True), ("cache/a/b", True), ("a", False), ("../x", False)])
def test_only_errors_at_the_place_are_converted(tmp_path: Path, place: str, converted: bool) -> None:
    """The error of a file elsewhere, which a user's function reads, says nothing of the place."""
    where = str((tmp_path / place).resolve())
    with pytest.raises(StorageError if converted else PermissionError), storage_errors(tmp_path / "cache" / "key"):
        raise PermissionError(errno.EACCES, "denied", where)


def test_a_relative_place_is_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot be written: File exists: .*/file$"):
        write_bytes(Path("file/m.onnx"), b"")


def test_a_full_disk_is_told_where_it_really_is_full(tmp_path: Path) -> None:
    """A file system of 64 KB in a mount namespace of its own: needs no root where user namespaces are allowed."""
    script = f"""
from pathlib import Path
from edgekit.errors import StorageError
from edgekit.files import write_bytes
place = Path({str(tmp_path)!r})
write_bytes(place / "small", b"x" * 1000)
try:
    write_bytes(place / "large", b"x" * 1_000_000)
except StorageError as error:
    print(error.message, sorted(path.name for path in place.iterdir()))
"""
    (tmp_path.parent / "script.py").write_text(script)
    mount = f"mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} {tmp_path.parent / 'script.py'}"
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    assert "the disk is full" in done.stdout, done.stderr
    assert "['small']" in done.stdout


def test_all_lines_are_told_where_each_says_a_part() -> None:
    assert all_lines("bad input\n  index: 0 got: 4\n\n expected: 2\n") == "bad input index: 0 got: 4 expected: 2"
    assert all_lines("") == "no message"
