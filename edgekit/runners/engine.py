"""Engine: Docker or Podman, whichever answers, and which limits it enforces."""

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Any

from edgekit.errors import ContainerError, last_line
from edgekit.scratch import temporary_folder

_ANSWER_S = 60.0
_PROBE_BYTES = 64 * 2**20
_PROBE = "import sys; b = bytearray(int(sys.argv[1])); b[::4096] = b'x' * len(b[::4096]); print('held')"
"""It writes to every page, because memory that is only reserved does not count."""
_STARTS = ("docker", "podman")


@dataclass(frozen=True)
class Engine:
    program: tuple[str, ...]
    version: str
    memory_bytes: int
    """Of the machine on which containers run."""
    cpus: int
    arch: str

    def __str__(self) -> str:
        return f"{self.program[0]} {self.version}"

    def has(self, image: str) -> bool:
        return not self.run("image", "inspect", image).returncode

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The result of an engine command, run in a temporary folder, because Podman's monitor writes a file named oom
        to its working directory when memory runs out."""
        with temporary_folder() as folder:
            return subprocess.run([*self.program, *arguments], capture_output=True, text=True, check=False, cwd=folder)


@dataclass(frozen=True)
class ContainerLimits:
    """The resources of a container."""

    memory_bytes: int
    cpus: int


def find_engine() -> Engine:
    """The engine named in $EDGEKIT_CONTAINER, with its arguments, else the first of Docker and Podman that answers.

    Raises ContainerError if there is none, its daemon is down, or it denies access.
    """
    given = tuple(shlex.split(os.environ.get("EDGEKIT_CONTAINER", "")))
    wanted = [given] if given else [(name,) for name in _STARTS]
    there = [each for each in wanted if shutil.which(each[0])]
    if not there:
        raise ContainerError(
            f"there is no {' and no '.join(each[0] for each in wanted)} on this machine",
            "install Docker or Podman, or set EDGEKIT_CONTAINER to the program",
        )
    failed = []
    for program in there:
        try:
            return _engine(program)
        except ContainerError as error:
            failed.append(error)
    raise failed[0]


@cache
def _engine(program: tuple[str, ...]) -> Engine:
    name = program[0]
    try:
        done = subprocess.run(
            [*program, "info", "--format", "{{json .}}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ContainerError(f"{name} did not answer within {_ANSWER_S:.0f} s", "restart it") from error
    values: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    if "host" in values:  # Podman
        host = values["host"]
        return Engine(program, values["version"]["Version"], host["memTotal"], host["cpus"], host["arch"])
    if done.returncode or not values.get("ServerVersion"):
        words = "; ".join(values.get("ServerErrors") or ()) or done.stderr
        if "permission denied" in words.lower():
            raise ContainerError(f"{name} denies access: {last_line(words)}", f"join the group {name}, or use podman")
        raise ContainerError(f"the daemon of {name} does not answer: {last_line(words)}", "start it, and run again")
    return Engine(program, values["ServerVersion"], values["MemTotal"], values["NCPU"], values["Architecture"])


@cache
def enforces_memory(engine: Engine, image: str) -> bool:
    """Whether a memory limit is enforced: a process that needs twice the limit is killed, and one that needs a quarter
    is not. Some rootless engines accept the option without effect."""

    def allocates(share: float) -> bool:
        size = int(_PROBE_BYTES * share)
        done = engine.run(
            "run", *run_options(ContainerLimits(_PROBE_BYTES, 1)), image, "python3", "-c", _PROBE, str(size)
        )
        return "held" in done.stdout

    return allocates(0.25) and not allocates(2)


def run_options(limits: ContainerLimits) -> list[str]:
    """The options of every container: an init, no network, no root, one writable volume, and removal afterwards."""
    memory = str(limits.memory_bytes)
    return [
        *("--rm", "--init", "--interactive", "--read-only", "--network", "none", "--user", "65534:65534"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "256"),
        *("--memory", memory, "--memory-swap", memory, "--cpus", str(limits.cpus)),
        *("--mount", "type=volume,destination=/work"),
    ]
