"""One connection to a board: OpenSSH as the user has it set up, with a courier at the other end."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from edgekit.errors import BoardError, RunnerError, first_line, last_line

COURIER = Path(__file__).with_name("courier.py")
_BEAT_S = 5.0
_ANSWER_S = 60.0
"""How long a connection may take beside what it is for."""
_OPTIONS = {"BatchMode": "yes", "ConnectTimeout": "15", "ServerAliveInterval": "5", "ServerAliveCountMax": "3"}
_SSH_FAILED = 255
_NO_PYTHON = 127


@dataclass(frozen=True)
class Address:
    host: str
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user, port = f"{self.user}@" if self.user else "", f":{self.port}" if self.port else ""
        return f"{user}{host}{port}"

    def command(self) -> list[str]:
        """ssh up to the remote command; the program is $EDGEKIT_SSH where that is set, with its arguments."""
        program = shlex.split(os.environ.get("EDGEKIT_SSH", "")) or ["ssh"]
        options = [part for name, value in _OPTIONS.items() for part in ("-o", f"{name}={value}")]
        port = ["-p", str(self.port)] if self.port else []
        user = ["-l", self.user] if self.user else []
        return [*program, "-T", *options, *port, *user, "--", self.host]


def address_of(url: str) -> Address:
    """Of ssh://[user@]host[:port]. Raises RunnerError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RunnerError(f"{url}: {first_line(error)}", "write ssh://USER@HOST:PORT") from error
    if parts.scheme != "ssh" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise RunnerError(f"{url} is no address of a board", "write ssh://USER@HOST:PORT, or ssh://HOST")
    if parts.password is not None:
        raise RunnerError("a password in an address ends up in histories and logs", "use a key: ssh-copy-id")
    host, user = parts.netloc.rpartition("@")[2], parts.username or ""
    host = parts.hostname if host.startswith("[") else re.sub(r":\d*$", "", host)
    if host.startswith("-") or user.startswith("-"):
        raise RunnerError(f"{url}: no name begins with '-'", "write ssh://USER@HOST:PORT")
    return Address(host, user, port)


@dataclass(frozen=True)
class Request:
    """What a board is asked for."""

    told: Mapping[str, Any]
    sent: Path | None = None
    """A folder that goes along."""
    compressed: bool = False
    received: Path | None = None
    """Where the files go that come back."""
    limit_s: float = 0.0
    """How long the board may take for it."""
    doing: Callable[[], str] = lambda: "while it was asked"
    """What goes on there, in words: for when the connection is lost."""
    heard: Callable[[str], None] = lambda _: None
    """Called with each line that a worker says."""


def answer(address: Address, request: Request) -> dict[str, Any]:
    """What a board answers. Raises BoardError where it cannot be reached, refuses, is lost, or has no room."""
    if not shutil.which(address.command()[0]):
        raise BoardError(f"there is no {address.command()[0]} on this machine", "install the OpenSSH client")
    source = base64.b64encode(zlib.compress(COURIER.read_bytes(), 9)).decode()
    remote = f"exec python3 -c 'import base64,zlib;exec(zlib.decompress(base64.b64decode(\"{source}\")))'"
    compressed = ["-o", "Compression=yes"] if request.compressed else []
    program, *rest = address.command()
    with tempfile.TemporaryFile() as packed, tempfile.TemporaryFile() as stderr:
        size = _packed(request.sent, packed) if request.sent else 0
        process = subprocess.Popen(
            [program, *compressed, *rest, remote],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        late = threading.Timer(request.limit_s + _ANSWER_S, process.kill)
        late.start()
        try:
            assert process.stdin is not None and process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps({**request.told, "size": size}).encode() + b"\n")
                shutil.copyfileobj(packed, process.stdin)
                process.stdin.flush()
            beat = _Beat(process.stdin)
            beat.start()
            try:
                told = _answer_in(process.stdout, request)
            finally:
                beat.stop()
        finally:
            silent = not late.is_alive()
            late.cancel()
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            if not _ended(process):
                process.kill()
            code = process.wait()
        if told is None or silent:
            stderr.seek(0)
            words = stderr.read().decode(errors="replace")
            raise _no_answer(address, code, words, silent, request.doing())
    if "fault" in told:
        raise _refusal(address, told)
    return told


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a connection closes by itself, now that nothing more is said."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        return False
    return True


def _packed(folder: Path, file: IO[bytes]) -> int:
    """Write a folder's files as a tar file, to be read from its start; its bytes."""
    with tarfile.open(fileobj=file, mode="w") as packed:
        for each in sorted(folder.iterdir()):
            packed.add(each, each.name)
    size = file.tell()
    file.seek(0)
    return size


def _answer_in(stdout: IO[bytes], request: Request) -> dict[str, Any] | None:
    """The last line of an answer, and the files behind it; None where it does not come to its end."""
    for line in stdout:
        if not line.startswith(b"{"):  # a shell that greets
            continue
        told: dict[str, Any] = json.loads(line)
        if "said" in told:
            request.heard(told["said"])
            continue
        if request.received and told.get("ended") == 0:
            try:
                with tarfile.open(fileobj=stdout, mode="r|") as packed:
                    packed.extractall(request.received, filter="data")
            except (tarfile.TarError, EOFError):
                return None
        return told
    return None


class _Beat(threading.Thread):
    """Tells the other end every few seconds that this one is there."""

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


_MEANINGS = (
    ("IDENTIFICATION HAS CHANGED", "its host key is not the one that is known", "find out why; then: ssh-keygen -R"),
    ("Host key verification failed", "its host key is not known here", "compare it and accept it once: ssh"),
    ("Permission denied", "it does not let you in", "give it your key: ssh-copy-id"),
    ("Too many authentication failures", "it does not let you in", "name the key in ~/.ssh/config for"),
    ("Could not resolve", "there is no such name", "check the name, or give its number instead of"),
    ("refused", "nothing listens there", "check the port, and that sshd runs on"),
    ("timed out", "it does not answer", "check that it is on and in reach:"),
    ("No route", "it is not in reach", "check that it is on and in the same network:"),
    ("unreachable", "it is not in reach", "check that it is on and in the same network:"),
)


def _no_answer(address: Address, code: int, words: str, silent: bool, doing: str) -> BoardError:
    """Why a board gave no answer, by what ssh said."""
    if silent:
        return BoardError(f"{address} said nothing for too long {doing}", "look at its load, and run again")
    said = re.sub(r"^Warning: Permanently added.*$", "", words, flags=re.MULTILINE)
    if code == _NO_PYTHON:
        return BoardError(f"there is no python3 on {address}", "install it there: apt install python3")
    if code == _SSH_FAILED:
        for mark, meaning, remedy in _MEANINGS:
            if mark in said:
                return BoardError(f"{address} cannot be used: {meaning}", f"{remedy} {address}")
        return BoardError(
            f"the connection to {address} was lost {doing}: {last_line(said)}", "look at its network, and again"
        )
    return BoardError(f"{address} ended {doing}: {last_line(said)}", "look at its memory and its log: dmesg")


def _refusal(address: Address, told: dict[str, Any]) -> BoardError:
    if told["fault"] == "full":
        return BoardError(
            f"the disk of {address} is full: {told['words']}", f"free some space there; edgekit's is {told['folder']}"
        )
    return BoardError(
        f"{address} cannot write: {told['words']}", f"make {told['folder']} a folder that you may write to"
    )
