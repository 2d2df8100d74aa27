"""The board's end of a connection: reports what the board is, stores runtimes there, and runs the worker.

The board needs nothing but Python: `python3 -c` starts this file, which is passed on the command line and imports
nothing of edgekit. It reads from standard input a line of JSON (a request, named by `do`), then a tar file of the
length that the request states, then a heartbeat every few seconds. It answers on standard output with lines of JSON;
the last one of a run states the names and sizes of the files that follow it. A run writes to a temporary folder, which
is removed however the run ends. Runtimes are stored beside it in ~/.cache/edgekit.
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
"""After so long without a heartbeat, the connection counts as lost."""
_RESULT = re.compile(r"(outputs|profile|graph)_\d+\.[a-z]+|result\.json|counts")
"""The names of the files that the worker and the plugin write for the other side."""
_WORDS = 4000


class LostError(Exception):
    """The connection is lost."""


class Line:
    """The bytes that the other side sends."""

    def __init__(self, left: int = 0) -> None:
        self.left = left

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the tar file; fewer at its end."""
        parts = []
        size = min(size, self.left)
        self.left -= size
        while size:
            parts.append(receive(size))
            size -= len(parts[-1])
        return b"".join(parts)


def receive(size: int) -> bytes:
    """Up to `size` bytes. Raises LostError at the end of the stream and after a silence."""
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
    """Where edgekit stores files on the board."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit"


def look(asked: dict[str, Any], _: Line) -> None:
    """Report what the board is, what it has installed, and its current state."""
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
            "machine_state": worker["machine_state"](),
        }
    )


def file_text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def number_in(text: str, before: str = "") -> int | None:
    """The first number in a text, or the first one after `before`."""
    found = re.search(rf"{before}\s*(\d+)", text)
    return int(found.group(1)) if found else None


def memory(name: str) -> int | None:
    """A value of /proc/meminfo, in bytes."""
    found = number_in(file_text("/proc/meminfo"), f"{name}:")
    return None if found is None else 1024 * found


def version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def keep(asked: dict[str, Any], line: Line) -> None:
    """Unpack a runtime, and rename its folder when it is complete."""
    place = home() / asked["name"]
    clear_leftovers()
    with folder_of(f"run-{os.getpid()}") as staging:
        unpack(line, staging)
        if not place.exists():
            staging.rename(place)
    send({"kept": str(place)})


def run(asked: dict[str, Any], line: Line) -> None:
    """Run the worker, forward its output, and send the files that it writes."""
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
        files = [each for each in sorted(folder.iterdir()) if code == 0 and _RESULT.fullmatch(each.name)]
        sizes = {each.name: each.stat().st_size for each in files}
        send({**ended, "peak": watch.peak, "emulator": watch.emulator, "files": sizes})
        with os.fdopen(os.dup(1), "wb") as out:
            for path in files:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, out)


def link_root(root: Path, folder: Path) -> None:
    """Link everything of a root file system into `folder`, except for entries that were sent to replace it."""
    folder.mkdir(exist_ok=True)
    for each in root.iterdir():
        if not (folder / each.name).exists():
            (folder / each.name).symlink_to(each)


def follow(process: subprocess.Popen[bytes], watch: Watch) -> None:
    """Forward the worker's output with the guest's memory, and answer it: the worker waits at each stage."""
    assert process.stdout is not None and process.stdin is not None
    with process.stdout, contextlib.suppress(BrokenPipeError), process.stdin:
        for entry in process.stdout:
            send({"said": entry.decode(errors="replace").strip(), "memory": watch.sample()})
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"\n")
                process.stdin.flush()


class Watch(threading.Thread):
    """Kills the worker when its time limit is reached or the connection is lost."""

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
        """The guest's current memory in bytes, where the process is an emulator whose guest has a known address range.
        The peaks of the guest's and the emulator's memory are recorded."""
        if not self.guest:
            return 0
        inside, outside = guest_memory(self.process.pid, *self.guest)
        self.peak, self.emulator = max(self.peak, inside), max(self.emulator, outside)
        return inside


def guest_memory(pid: int, base: int, size: int) -> tuple[int, int]:
    """The resident bytes of an emulator's process inside the guest's address range, which starts at `base`, and outside
    it."""
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
    """A new folder, removed on exit unless it was renamed."""
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
    """Remove the folders of runs that were killed or lost to a power failure."""
    for each in home().glob("run-*"):
        if not Path("/proc", each.name.split("-")[1]).exists():
            shutil.rmtree(each, ignore_errors=True)


if __name__ == "__main__":
    main()
