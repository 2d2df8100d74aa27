"""The other end of a connection to a board: says what the board is, keeps runtimes there, and runs the worker.

Started by `python3 -c`, with nothing on the board but Python: this file comes along on the command line and imports
nothing of edgekit. On standard input it reads a line of JSON, a request by `do`, then as many bytes of a tar file as
that says, then a beat every few seconds for as long as the other side is there; on standard output it answers with
lines of JSON, and after the last one of a run with a tar file. What a run writes lies in a folder of its own, which is
gone when the run ends, however it ends; runtimes lie beside it, below ~/.cache/edgekit.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import json
import os
import platform
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SILENCE_S = 60.0
"""Without a beat for so long, the other side is gone."""
_LEFT = {"job.json", "stderr", "root"}
_WORDS = 4000


class LostError(Exception):
    """The other side is gone."""


class Line:
    """What the other side sends."""

    def __init__(self, left: int = 0) -> None:
        self.left = left

    def read(self, size: int) -> bytes:
        """So many bytes, or those that are left of the tar file."""
        parts = []
        size = min(size, self.left)
        self.left -= size
        while size:
            parts.append(receive(size))
            size -= len(parts[-1])
        return b"".join(parts)


def receive(size: int) -> bytes:
    """Some bytes, so many at most. Raises LostError at the end and after a silence."""
    if not select.select([0], [], [], SILENCE_S)[0]:
        raise LostError
    found = os.read(0, size)
    if not found:
        raise LostError
    return found


def main() -> None:
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    request = b""
    with contextlib.suppress(LostError, BrokenPipeError):
        while not request.endswith(b"\n"):
            request += receive(1)
        asked = json.loads(request)
        try:
            {"look": look, "keep": keep, "run": run}[asked["do"]](asked, Line(asked.get("size", 0)))
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            send({"fault": "full" if full else "refused", "words": str(error), "folder": str(home())})


def send(values: dict[str, Any]) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


def home() -> Path:
    """Where edgekit keeps what it brings."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit"


def look(asked: dict[str, Any], _: Line) -> None:
    """What the board is, has, and is doing."""
    worker: dict[str, Any] = {"__name__": "worker"}
    exec(asked["worker"], worker)
    place = home()
    while not place.exists():
        place = place.parent
    send(
        {
            "system": platform.system(),
            "arch": platform.machine(),
            "bits": 8 * struct.calcsize("P"),
            "python": platform.python_version(),
            "cpuinfo": file_text("/proc/cpuinfo"),
            "cores": os.cpu_count(),
            "clock_khz": number_in(file_text("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")),
            "model": file_text("/proc/device-tree/model").strip("\0")
            or file_text("/sys/devices/virtual/dmi/id/product_name").strip(),
            "os": platform.freedesktop_os_release()["PRETTY_NAME"]
            if hasattr(platform, "freedesktop_os_release") and Path("/etc/os-release").exists()
            else platform.system(),
            "boot": file_text("/proc/sys/kernel/random/boot_id").strip(),
            "memory": memory("MemTotal"),
            "free_memory": memory("MemAvailable"),
            "free_disk": shutil.disk_usage(place).free,
            "versions": {name: version_of(name) for name in asked["packages"]},
            "kept": sorted(each.name for each in home().glob("*") if each.is_dir()),
            "surroundings": worker["machine_state"](),
        }
    )


def file_text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def number_in(text: str, before: str = "") -> int | None:
    """The first number of a text, or that behind some words."""
    found = re.search(rf"{before}\s*(\d+)", text)
    return int(found.group(1)) if found else None


def memory(name: str) -> int | None:
    """A figure of /proc/meminfo, in bytes."""
    found = number_in(file_text("/proc/meminfo"), f"{name}:")
    return None if found is None else 1024 * found


def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def keep(asked: dict[str, Any], line: Line) -> None:
    """Unpack a runtime, and give it its name when it is whole."""
    place = home() / asked["name"]
    clear_leftovers()
    with folder_of(f"run-{os.getpid()}") as staging:
        unpack(line, staging)
        if not place.exists():
            staging.rename(place)
    send({"kept": str(place)})


def run(asked: dict[str, Any], line: Line) -> None:
    """Run the worker, say what it says, and send what it leaves."""
    clear_leftovers()
    with folder_of(f"run-{os.getpid()}") as folder:
        unpack(line, folder)
        if asked.get("root"):
            link_root(Path(asked["root"]), folder / "root")
        environment = dict(os.environ, ORT_DISABLE_TELEMETRY="1", PYTHONDONTWRITEBYTECODE="1", TMPDIR=str(folder))
        values = {"folder": str(folder), "home": str(home()), "python": sys.executable}
        environment.update({name: value.format(**values) for name, value in asked["environment"].items()})
        with (folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [*(part.format(**values) for part in asked["command"]), str(folder / "worker.py"), str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                start_new_session=True,
            )
            watch = Watch(process, asked["limit_s"], asked.get("guest"))
            watch.start()
            try:
                follow(process, watch)
            finally:
                process.kill()
                code = process.wait()
        words = (folder / "stderr").read_text(errors="replace")[-_WORDS:]
        ended = {"ended": code, "words": words, "expired": watch.expired, "lost": watch.lost}
        send({**ended, "peak": watch.peak, "emulator": watch.emulator})
        with os.fdopen(os.dup(1), "wb") as out, tarfile.open(fileobj=out, mode="w|") as packed:
            for each in sorted(folder.iterdir()):
                is_result = each.name not in _LEFT and each.suffix != ".py"
                if is_result and not each.name.startswith(("model_", "inputs_")) and code == 0:
                    packed.add(each, each.name)


def link_root(root: Path, folder: Path) -> None:
    """A folder that holds all that a root file system does, but for what was sent to stand there instead."""
    folder.mkdir(exist_ok=True)
    for each in root.iterdir():
        if not (folder / each.name).exists():
            (folder / each.name).symlink_to(each)


def follow(process: subprocess.Popen[bytes], watch: Watch) -> None:
    """Pass on what the worker says, with its guest's memory, and answer it: it waits at each stage for that."""
    assert process.stdout is not None and process.stdin is not None
    with process.stdout, contextlib.suppress(BrokenPipeError), process.stdin:
        for entry in process.stdout:
            send({"said": entry.decode(errors="replace").strip(), "memory": watch.sample()})
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"\n")
                process.stdin.flush()


class Watch(threading.Thread):
    """Kills the worker when its time is over, or when the other side is gone."""

    def __init__(self, process: subprocess.Popen[bytes], limit_s: float, guest: list[int] | None) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.guest = guest
        self.peak = self.emulator = 0
        self.until = time.monotonic() + limit_s
        self.expired = self.lost = False

    def run(self) -> None:
        heard = time.monotonic()
        while self.process.poll() is None:
            self.expired = time.monotonic() > self.until
            self.sample()
            if select.select([0], [], [], 0.05 if self.guest else 0.5)[0]:
                self.lost = not os.read(0, 4096)
                heard = time.monotonic()
            self.lost = self.lost or time.monotonic() - heard > SILENCE_S
            if self.expired or self.lost:
                self.process.kill()
                return

    def sample(self) -> int:
        """The guest's memory now, where the process is an emulator whose guest lies at a known place; its peak, and
        that of the emulator's own, are kept."""
        if not self.guest:
            return 0
        inside, outside = guest_memory(self.process.pid, *self.guest)
        self.peak, self.emulator = max(self.peak, inside), max(self.emulator, outside)
        return inside


def guest_memory(pid: int, base: int, size: int) -> tuple[int, int]:
    """The resident bytes of an emulator's process that belong to its guest, whose address space begins at `base` in its
    own, and those that do not."""
    values = {True: 0, False: 0}
    inside = False
    for line in file_text(f"/proc/{pid}/smaps").splitlines():
        mapping = re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)
        if mapping:
            inside = base <= int(mapping.group(1), 16) < base + size
        elif line.startswith("Rss:"):
            values[inside] += 1024 * int(line.split()[1])
    return values[True], values[False]


@contextlib.contextmanager
def folder_of(name: str) -> Any:
    """A new folder, gone when it is left, unless it was renamed."""
    home().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpack(line: Line, folder: Path) -> None:
    needed, free = line.left, shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free")
    with tarfile.open(fileobj=line, mode="r|") as packed:  # type: ignore[call-overload]
        packed.extractall(folder)
    line.read(line.left)


def clear_leftovers() -> None:
    """Folders of runs that were ended by force, or by the power."""
    for each in home().glob("run-*"):
        if not Path("/proc", each.name.split("-")[1]).exists():
            shutil.rmtree(each, ignore_errors=True)


if __name__ == "__main__":
    main()
