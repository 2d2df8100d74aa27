"""A runtime's wheels for another machine, unpacked by pip into a folder that is used as PYTHONPATH."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from edgekit.architectures import ARCHITECTURES
from edgekit.children import module_command
from edgekit.errors import ToolError, last_line, storage_errors
from edgekit.progress import Progress
from edgekit.scratch import temporary_folder
from edgekit.target import Runtime

_TIMEOUT_S = 900


def wheels_name(runtime: Runtime, arch: str, python: str) -> str:
    """The folder name of a runtime's wheels for a Python such as 311."""
    return f"{runtime.name}-{runtime.version}-cp{python}-{arch}"


def fetch_wheels(
    folder: Path, runtime: Runtime, arch: str, python: str, error: type[ToolError], hint: str, progress: Progress
) -> Path:
    """The folder of a runtime's wheels in `folder`; downloaded once. Raises `error` with `hint` if that fails,
    StorageError if there is no space."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    kept = folder / wheels_name(runtime, arch, python)
    with FileLock(folder / "wheels.lock"):
        if not kept.is_dir():
            progress.note(f"downloading {runtime.name} {runtime.version} for {arch} (PyPI) to {kept}")
            with temporary_folder(folder) as staging:
                install_wheels(runtime, arch, python, staging, error, hint)
                staging.rename(kept)
    return kept


def install_wheels(runtime: Runtime, arch: str, python: str, site: Path, error: type[ToolError], hint: str) -> None:
    """Install a runtime, and numpy if there is a wheel of it, into `site` for a Python such as 311. Raises `error` with
    `hint` if pip fails."""
    platforms = [f"manylinux_2_{glibc}_{arch}" for glibc in (34, 28, 27, 17)] + [f"manylinux2014_{arch}"]
    # pip's upgrade notice would be the last line of the output.
    options = ["--disable-pip-version-check", "install", "--quiet", "--target", str(site), "--only-binary=:all:"]
    options += [part for each in platforms for part in ("--platform", each)]
    options += ["--python-version", python, "--implementation", "cp"]
    wanted = [f"{runtime.name}=={runtime.version}"]
    if ARCHITECTURES[arch].has_numpy_wheel:
        wanted.append(runtime.spec.numpy)
    else:
        options.append("--no-deps")
    run_tool(module_command("pip", [*options, *wanted]), "pip", error, hint)


def run_tool(command: Sequence[str], name: str, error: type[ToolError], hint: str) -> None:
    """Run a program that downloads or unpacks. Raises `error` with its last line and `hint` if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as late:
        raise error(
            f"{name} did not finish within {_TIMEOUT_S // 60} minutes", "check the network and run it again"
        ) from late
    if done.returncode:
        value = done.stderr or done.stdout
        if "No space left" in value:
            raise error(f"the disk is full: {name} could not write", "free about 400 MB and run it again")
        raise error(f"{name} failed: {last_line(value)}", hint)
