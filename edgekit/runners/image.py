"""The container image for a target, built once from docker/emulator.Dockerfile and the target's runtime."""

import shutil
import subprocess
from pathlib import Path

from edgekit.architectures import ARCHITECTURES
from edgekit.errors import ContainerError, EmulatorError, last_line
from edgekit.fetching.lock import Wheels, lock_of
from edgekit.fetching.source import usual_source
from edgekit.fetching.wheels import install_wheels
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.instruction_counts.plugin import SOURCE
from edgekit.progress import Progress
from edgekit.runners.emulator import can_emulate, wheels_folder
from edgekit.runners.engine import Engine
from edgekit.scratch import temporary_folder
from edgekit.target import Target

BASE = "debian:bookworm-slim"
_GUEST_PYTHON = "311"
"""Debian 12's Python."""


def dockerfile() -> Path:
    """The Dockerfile: inside the wheel, or in a checkout."""
    installed = Path(__file__).parent.parent / "_docker"
    folder = installed if installed.is_dir() else Path(__file__).parent.parent.parent / "docker"
    return folder / "emulator.Dockerfile"


def image_name(target: Target) -> str:
    """A name from everything that affects the content, except for the base image."""
    wheels = lock_of(wheels_folder()).wheels.get(Wheels(target.runtime, target.arch, _GUEST_PYTHON).name, {})
    digest = sha256_of_json([*(sha256_of_file(path) for path in (dockerfile(), SOURCE)), dict(wheels)])[:12]
    return f"edgekit-{target.arch.replace('_', '-')}:{target.runtime.name}-{target.runtime.version}-{digest}"


def check_emulated(target: Target) -> None:
    """Raises EmulatorError if nothing in an image emulates a target's CPU."""
    if not ARCHITECTURES[target.arch].has_image:
        raise EmulatorError(
            f"there is no image for {target.arch}, the architecture of {target.id}",
            f"omit --runner: edgekit setup {target.id} sets up an emulator without a container",
        )
    if not can_emulate(target):
        raise EmulatorError(
            f"no emulator runs the instruction sets of {target.id}", f"measure on the target itself: {target.name}"
        )


def build_image(engine: Engine, target: Target, base: str, progress: Progress) -> str:
    """Build a target's image unless it exists, and return its name. Raises ContainerError if the engine fails."""
    check_emulated(target)
    name = image_name(target)
    if engine.has(name):
        return name
    with temporary_folder() as context:
        site = context / "site"
        wheels = Wheels(target.runtime, target.arch, _GUEST_PYTHON)
        progress.note(f"downloading {wheels} from the index")
        hint = "set EDGEKIT_UNPINNED=1 to take what the index has now"
        install_wheels(wheels_folder(), wheels, site, usual_source(), hint)
        shutil.copy(dockerfile(), context / "Dockerfile")
        shutil.copy(SOURCE, context)
        progress.note(f"building {name} by {engine}: downloads {base}, then qemu and Python for {target.arch} (Debian)")
        arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"ARCH={ARCHITECTURES[target.arch].debian}"]
        done = subprocess.run(
            [*engine.program, "build", "--network", "host", *arguments, "--tag", name, context],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words = done.stderr or done.stdout
            if "No space left" in words or "no space left" in words:
                raise ContainerError(
                    "the container engine's disk is full", f"free about 500 MB: {engine.program[0]} system df"
                )
            raise ContainerError(
                f"the image could not be built: {last_line(words)}",
                "check the network, or use another base image: --base IMAGE",
            )
    return name
