"""The counting plugin, compiled for this machine's emulator, and its options."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from edgekit.architectures import ARCHITECTURES
from edgekit.errors import EmulatorError, last_line
from edgekit.files import sha256_of_file
from edgekit.target import Target

SOURCE = Path(__file__).with_name("counters.c")
MARK = 173
"""getppid, which the worker calls before and after the run to be counted (Linux, asm-generic/unistd.h)."""
CLOCK = 113
"""clock_gettime, which a runtime calls before and after each operator that it profiles."""
_NO_COMPILER = "install a C compiler (Debian: apt install gcc libc6-dev) and run edgekit setup again"
_COMPILERS = ("cc", "gcc", "clang")


def can_be_counted(target: Target) -> bool:
    """Whether the plugin models the target's core: 64-bit ARM with known caches."""
    return ARCHITECTURES[target.arch].is_counted and bool(target.caches)


def plugin_path(folder: Path) -> Path:
    """The plugin's path in `folder`, whether it exists or not."""
    return folder / f"counters-{sha256_of_file(SOURCE)[:12]}" / "counters.so"


def compile_plugin(folder: Path) -> Path:
    """The plugin, compiled in `folder` once. Raises EmulatorError if there is no compiler or it fails."""
    path = plugin_path(folder)
    if not path.is_file():
        named = shlex.split(os.environ.get("CC", "")) or [name for name in _COMPILERS if shutil.which(name)][:1]
        if not named or not shutil.which(named[0]):
            raise EmulatorError("there is no C compiler for the instruction-counting plugin", _NO_COMPILER)
        staging = path.parent.with_suffix(".partial")
        options = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o", str(staging), str(SOURCE)]
        done = subprocess.run([*named, *options], capture_output=True, text=True, check=False)
        if done.returncode:
            raise EmulatorError(f"{named[0]} cannot compile the plugin: {last_line(done.stderr)}", _NO_COMPILER)
        path.parent.mkdir(exist_ok=True)
        staging.replace(path)
    return path


def plugin_options(plugin: Path, out: Path, target: Target, *, by_operator: bool) -> list[str]:
    """qemu's options for counting with a target's caches into `out`: between marks and, with `by_operator`, between
    reads of the clock."""
    lines = [str(plugin), f"out={out}", f"mark={MARK}", *([f"clock={CLOCK}"] if by_operator else [])]
    lines += [f"line={cache.line}" for cache in target.caches[:1]]
    lines += [f"cache={cache.sets}:{cache.ways}" for cache in target.caches]
    return ["-seed", "1", "-plugin", ",".join(each.replace(",", ",,") for each in lines)]
