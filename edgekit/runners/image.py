"""The container image for a target, built once from docker/emulator.Dockerfile and the target's runtime."""

import shutil
import subprocess
from pathlib import Path

from edgekit.architectures import ARCHITECTURES, normalized_arch
from edgekit.errors import ContainerError, EmulatorError, last_line
from edgekit.fetching.lock import Wheels, lock_of
from edgekit.fetching.packages import VERSION_GONE, guest_packages, image_packages, pinned_packages
from edgekit.fetching.source import Source, usual_source
from edgekit.fetching.wheels import install_wheels
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.host import this_host
from edgekit.instruction_counts.plugin import SOURCE
from edgekit.progress import Progress
from edgekit.runners.emulator import check_has_emulator, emulators_folder, wheels_folder
from edgekit.runners.engine import Engine
from edgekit.scratch import temporary_folder
from edgekit.target import Target

BASE = "debian:bookworm-slim"
_FETCH = "fetch.sh"
_GUEST_PYTHON = "311"
"""Debian 12's Python."""


def dockerfile() -> Path:
    """The Dockerfile, with fetch.sh beside it: inside the wheel, or in a checkout."""
    installed = Path(__file__).parent.parent / "_docker"
    folder = installed if installed.is_dir() else Path(__file__).parent.parent.parent / "docker"
    return folder / "emulator.Dockerfile"


def image_name(target: Target) -> str:
    """A name from everything that affects the content, except for the base image and the engine's architecture."""
    lock = lock_of(wheels_folder())
    digest = sha256_of_json(
        [
            *(sha256_of_file(path) for path in (dockerfile(), dockerfile().with_name(_FETCH), SOURCE)),
            lock.wheels.get(_wheels_of(target).name, {}),
            lock.packages,
        ]
    )[:12]
    return f"edgekit-{target.arch.replace('_', '-')}:{target.runtime.name}-{target.runtime.version}-{digest}"


def base_image() -> str:
    """The base image, with its digest if the lock has one."""
    digest = lock_of(wheels_folder()).images.get(BASE)
    return f"{BASE}@{digest}" if digest else BASE


def _wheels_of(target: Target) -> Wheels:
    return Wheels(target.runtime, target.arch, _GUEST_PYTHON)


def check_emulated(target: Target) -> None:
    """Raises EmulatorError if nothing in an image emulates a target's CPU."""
    if not ARCHITECTURES[target.arch].has_image:
        raise EmulatorError(
            f"there is no image for {target.arch}, the architecture of {target.id}",
            f"omit --runner: edgekit setup {target.id} sets up an emulator without a container",
        )
    check_has_emulator(target)


def build_image(engine: Engine, target: Target, base: str, progress: Progress, source: Source | None = None) -> str:
    """Build a target's image unless it exists, and return its name. Raises ContainerError if the engine fails."""
    check_emulated(target)
    source = source or usual_source()
    if engine.has(image_name(target)):
        return image_name(target)
    with temporary_folder() as context:
        wheels = _wheels_of(target)
        progress.note(f"downloading {wheels} from the index")
        hint = f"edgekit setup --runner container {target.id} --unpinned takes what the index has now"
        install_wheels(wheels_folder(), wheels, context / "site", source, hint)
        name = image_name(target)  # by the digests, which are known now
        shutil.copy(dockerfile(), context / "Dockerfile")
        for path in (SOURCE, dockerfile().with_name(_FETCH)):
            shutil.copy(path, context)
        _write_lists(engine, target, context, pinned=True)
        progress.note(f"building {name} by {engine}: downloads {base}, then qemu and Python for {target.arch} (Debian)")
        words = _failure(engine, target, base, name, context)
        if VERSION_GONE in words and source.unpinned:
            progress.note("the base's mirror does not have the packages that edgekit pins: taking those that it has")
            _write_lists(engine, target, context, pinned=False)
            words = _failure(engine, target, base, name, context)
        if "No space left" in words or "no space left" in words:
            raise ContainerError(
                "the container engine's disk is full", f"free about 500 MB: {engine.program[0]} system df"
            )
        if words:
            raise ContainerError(
                f"the image could not be built: {_reason(words)}",
                "check the network; for a base whose mirror has other packages: --unpinned, or another --base IMAGE",
            )
    return name


def _failure(engine: Engine, target: Target, base: str, name: str, context: Path) -> str:
    """What the engine says of a build that fails; empty if it succeeds."""
    arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"ARCH={ARCHITECTURES[target.arch].debian}"]
    done = subprocess.run(
        [*engine.program, "build", "--network", "host", *arguments, "--tag", name, context],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr or "no message") if done.returncode else ""


def _reason(words: str) -> str:
    """Why a build failed: apt's last error, which the engine's own words follow, else the last line."""
    errors = [line for line in words.splitlines() if line.startswith("E: ")]
    return last_line(errors[-1] if errors else words)


def _write_lists(engine: Engine, target: Target, context: Path, *, pinned: bool) -> None:
    """Write the lists of packages with their digests that fetch.sh reads; empty ones if they are not pinned."""
    arch = normalized_arch(engine.arch)
    emulator, compiler = image_packages(arch if arch in ARCHITECTURES else this_host().arch)
    sets = {"guest": guest_packages(target.arch), "emulator": emulator, "compiler": compiler}
    for name, packages in sets.items():
        files = pinned_packages(emulators_folder(), packages) if pinned else {}
        lines = [f"{digest}  {file}\n" for file, digest in files.items()]
        (context / f"{name}.sha256").write_text("".join(lines))
