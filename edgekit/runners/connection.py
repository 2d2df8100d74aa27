"""A connection to a place that has Python but not edgekit, with a agent at the other end."""

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
from typing import IO, Any, Protocol

from edgekit.device import agent
from edgekit.errors import BoardError, ToolError

AGENT = Path(agent.__file__)
_BEAT_S = 5.0
_ANSWER_S = 60.0
"""The time allowed for a connection in addition to its request."""


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
    heard: Callable[[dict[str, Any]], None] = lambda _: None
    """Called with each line of the worker (`said`) and its `memory` at that time, if it was requested."""


def answer(reach: Reach, request: Request) -> dict[str, Any]:
    """The answer to a request. Raises a ToolError if the place cannot be reached, refuses, is lost, or has no space."""
    packed_source = base64.b64encode(zlib.compress(AGENT.read_bytes(), 9)).decode()
    source = f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{packed_source}")))'
    with tempfile.TemporaryFile() as packed, tempfile.TemporaryFile() as stderr:
        size = _pack(request.sent, packed) if request.sent else 0
        process = subprocess.Popen(
            reach.command(source, compressed=request.compressed),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=reach.started_in,
            start_new_session=True,
        )
        _OPEN.add(process)
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
                result = _answer_in(process.stdout, request)
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
            stderr.seek(0)
            words = stderr.read().decode(errors="replace")
            if silent:
                raise BoardError(
                    f"{reach} sent no output within the time limit {request.doing()}", "check its load and run again"
                )
            raise reach.no_answer(code, words, request.doing())
    if "fault" in result:
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


def _answer_in(stdout: IO[bytes], request: Request) -> dict[str, Any] | None:
    """The last line of an answer, with the files after it written; None if the answer is incomplete."""
    for line in stdout:
        if not line.startswith(b"{"):  # a login shell's greeting
            continue
        values: dict[str, Any] = json.loads(line)
        if "said" in values:
            request.heard(values)
            continue
        if request.received and values.get("ended") == 0:
            try:
                with tarfile.open(fileobj=stdout, mode="r|") as packed:
                    packed.extractall(request.received, filter="data")
            except (tarfile.TarError, EOFError):
                return None
        return values
    return None


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


def _refusal(reach: Reach, values: dict[str, Any]) -> BoardError:
    if values["fault"] == "full":
        return BoardError(
            f"the disk of {reach} is full: {values['words']}",
            f"free some space there; edgekit's folder is {values['folder']}",
        )
    return BoardError(
        f"{reach} cannot write: {values['words']}", f"make {values['folder']} a folder that you may write to"
    )
