"""Address: a machine that OpenSSH reaches with the user's configuration."""

import os
import re
import shlex
import shutil
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgekit.errors import BoardError, RunnerError, first_line, last_line

_OPTIONS = {"BatchMode": "yes", "ConnectTimeout": "15", "ServerAliveInterval": "5", "ServerAliveCountMax": "3"}
_SSH_FAILED = 255
_NO_PYTHON = 127

_MEANINGS = (
    ("IDENTIFICATION HAS CHANGED", "its host key differs from the known one", "find out why; then run ssh-keygen -R"),
    ("Host key verification failed", "its host key is unknown", "check the key and accept it once: ssh"),
    ("Permission denied", "it refuses the login", "install your key there: ssh-copy-id"),
    ("Too many authentication failures", "it refuses the login", "set IdentityFile in ~/.ssh/config for"),
    ("Could not resolve", "the host name is unknown", "check the name, or use the IP address instead of"),
    ("refused", "nothing listens on that port", "check the port, and that sshd runs on"),
    ("timed out", "it does not answer", "check that it is on and reachable:"),
    ("No route", "it is not reachable", "check that it is on and in the same network:"),
    ("unreachable", "it is not reachable", "check that it is on and in the same network:"),
)


@dataclass(frozen=True)
class Address:
    host: str
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user, port = f"{self.user}@" if self.user else "", f":{self.port}" if self.port else ""
        return f"{user}{host}{port}"

    @property
    def started_in(self) -> None:
        """This process's folder: keys may be given by relative paths."""
        return None

    def command(self, source: str, *, compressed: bool = False) -> list[str]:
        """The command by ssh, or by $EDGEKIT_SSH with its arguments. Raises BoardError if the program is missing."""
        program = shlex.split(os.environ.get("EDGEKIT_SSH", "")) or ["ssh"]
        if not shutil.which(program[0]):
            raise BoardError(f"there is no {program[0]} on this machine", "install the OpenSSH client")
        values = {**_OPTIONS, "Compression": "yes"} if compressed else _OPTIONS
        options = [part for name, value in values.items() for part in ("-o", f"{name}={value}")]
        port = ["-p", str(self.port)] if self.port else []
        user = ["-l", self.user] if self.user else []
        return [*program, "-T", *options, *port, *user, "--", self.host, f"exec python3 -c '{source}'"]

    def no_answer(self, code: int, words: str, doing: str) -> BoardError:
        """The error, from what ssh printed."""
        said = re.sub(r"^Warning: Permanently added.*$", "", words, flags=re.MULTILINE)
        if code == _NO_PYTHON:
            return BoardError(f"there is no python3 on {self}", "install it there: apt install python3")
        if code == _SSH_FAILED:
            for mark, meaning, remedy in _MEANINGS:
                if mark in said:
                    return BoardError(f"{self} cannot be used: {meaning}", f"{remedy} {self}")
            return BoardError(
                f"the connection to {self} was lost {doing}: {last_line(said)}", "check its network and run again"
            )
        return BoardError(f"{self} ended {doing}: {last_line(said)}", "check its memory and its log: dmesg")


def address_of(url: str) -> Address:
    """The address in ssh://[user@]host[:port]. Raises RunnerError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RunnerError(f"{url}: {first_line(error)}", "write ssh://USER@HOST:PORT") from error
    if parts.scheme != "ssh" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise RunnerError(f"{url} is not the address of a board", "write ssh://USER@HOST:PORT, or ssh://HOST")
    if parts.password is not None:
        raise RunnerError("a password in an address is recorded in histories and logs", "use a key: ssh-copy-id")
    host, user = parts.netloc.rpartition("@")[2], parts.username or ""
    host = parts.hostname if host.startswith("[") else re.sub(r":\d*$", "", host)
    if host.startswith("-") or user.startswith("-"):
        raise RunnerError(f"{url}: a name cannot begin with '-'", "write ssh://USER@HOST:PORT")
    return Address(host, user, port)
