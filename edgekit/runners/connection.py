"""A connection to a place that has Python but not edgekit, with an agent at the other end."""

import base64
import json
import shutil
import subprocess
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from edgekit.device import agent
from edgekit.errors import BoardError, ToolError, storage_errors
from edgekit.runners.answers import Ended, Fault, Said, lines_of, receive_files, record_in, understood

AGENT = Path(agent.__file__)
_BEAT_S = 5.0
_ANSWER_S = 60.0
"""The time allowed for a connection in addition to its request."""
_MOST_WORDS = 64 * 2**10
"""What is kept of a standard error stream."""
_TAIL_S = 5.0
"""The wait for the end of that stream after the process has ended: what it started may hold it open."""
Kind = TypeVar("Kind")


_OPEN: set[subprocess.Popen[bytes]] = set()


@contextmanager
def close_on_error() -> Iterator[None]:
    """Close all connections if the block raises: each end cleans up, and threads that wait for an answer get an error.
    An interrupt reaches the main thread only."""
    try:
        yield
    except BaseException:
        for process in list(_OPEN):
            process.kill()
        raise


class Reach(Protocol):
    """A place with Python, and how to start a program there."""

    @property
    def started_in(self) -> Path | None:
        """The folder in which that program is started; None for this process's."""

    def command(self, source: str, *, compressed: bool) -> list[str]:
        """The command that runs Python source there, connected to its standard input and output."""

    def no_answer(self, code: int, words: str, doing: str) -> ToolError:
        """The error if there was no answer, from that command's exit code and standard error."""


@dataclass(frozen=True)
class Request:
    """A request to a board."""

    fields: Mapping[str, Any]
    sent: Path | None = None
    """A folder to send."""
    compressed: bool = False
    received: Path | None = None
    """The folder for returned files."""
    limit_s: float = 0.0
    """The time limit on the board."""
    doing: Callable[[], str] = lambda: "while its state was read"
    """Describes the current work, for an error if the connection is lost."""
    heard: Callable[[Said], None] = lambda _: None
    """Called with each line of the worker."""


def answer(reach: Reach, request: Request, kind: type[Kind]) -> Kind:
    """The answer to a request, a `kind`. Raises a ToolError if the place cannot be reached, refuses, is lost, has no
    space, or answers something else."""
    packed_source = base64.b64encode(zlib.compress(AGENT.read_bytes(), 9)).decode()
    source = f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{packed_source}")))'
    with tempfile.TemporaryFile() as packed:
        size = _pack(request.sent, packed) if request.sent else 0
        process = subprocess.Popen(
            reach.command(source, compressed=request.compressed),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=reach.started_in,
            start_new_session=True,
        )
        _OPEN.add(process)
        words = _Tail(process.stderr)
        words.start()
        late = threading.Timer(request.limit_s + _ANSWER_S, process.kill)
        late.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps({**request.fields, "size": size}).encode() + b"\n")
                shutil.copyfileobj(packed, process.stdin)
                process.stdin.flush()
            beat = _Beat(process.stdin)
            beat.start()
            try:
                with understood(reach, BoardError):
                    result = answer_in(process.stdout, request, kind)
            finally:
                beat.stop()
        finally:
            silent = not late.is_alive()
            late.cancel()
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            if not _wait_for_end(process):
                process.kill()
            code = process.wait()
            _OPEN.discard(process)
        if result is None or silent:
            if silent:
                raise BoardError(
                    f"{reach} sent no output within the time limit {request.doing()}", "check its load and run again"
                )
            raise reach.no_answer(code, words.text(), request.doing())
    if isinstance(result, Fault):
        raise _refusal(reach, result)
    return result


def _wait_for_end(process: subprocess.Popen[bytes]) -> bool:
    """Whether the connection closes by itself after its last line."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        return False
    return True


def _pack(folder: Path, file: IO[bytes]) -> int:
    """Write a folder's files as a tar file to `file`, rewind it, and return its size in bytes."""
    with tarfile.open(fileobj=file, mode="w") as packed:
        for each in sorted(folder.iterdir()):
            packed.add(each, each.name)
    size = file.tell()
    file.seek(0)
    return size


def answer_in(stdout: IO[bytes], request: Request, kind: type[Kind]) -> Kind | Fault | None:
    """The last line of an answer, with the files after it written; None if the answer is incomplete."""
    for line in lines_of(stdout):
        if not line.startswith(b"{"):  # a login shell's greeting
            continue
        found = record_in(line, kind)
        if isinstance(found, Said):
            request.heard(found)
            continue
        if isinstance(found, Ended) and request.received:
            with storage_errors(request.received):
                return found if receive_files(stdout, found.files, request.received) else None
        return found
    return None


class _Tail(threading.Thread):
    """Reads a stream to its end and keeps the last bytes."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self.stream = stream
        self._kept = b""

    def run(self) -> None:
        with suppress(OSError, ValueError), self.stream:
            while part := self.stream.read(4096):
                self._kept = (self._kept + part)[-_MOST_WORDS:]

    def text(self) -> str:
        self.join(_TAIL_S)
        return self._kept.decode(errors="replace")


class _Beat(threading.Thread):
    """Sends a heartbeat every few seconds."""

    def __init__(self, stdin: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.stdin = stdin
        self._ended = threading.Event()

    def run(self) -> None:
        with suppress(OSError, ValueError):
            while not self._ended.wait(_BEAT_S):
                self.stdin.write(b"\n")
                self.stdin.flush()

    def stop(self) -> None:
        self._ended.set()
        self.join(1)


def _refusal(reach: Reach, fault: Fault) -> BoardError:
    if fault.fault == "full":
        return BoardError(
            f"the disk of {reach} is full: {fault.words}",
            f"free some space there; edgekit's folder is {fault.folder}",
        )
    return BoardError(f"{reach} cannot write: {fault.words}", f"make {fault.folder} a folder that you may write to")
