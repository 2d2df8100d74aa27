"""A pretend Raspberry Pi 4: an sshd on loopback behind which python3 is that of its emulator. What runs there says that
it is a Cortex-A72, and does what one does; only its times are nobody's."""

import shlex
from pathlib import Path

from edgekit.runners.emulator import Emulator
from edgekit.target_files import shipped_folder

NAME = "no board: an emulator behind a loopback sshd"


def write_python(emulator: Emulator, folder: Path) -> None:
    """Leave a python3 in a folder that runs the emulator's, also where it starts itself."""
    values = {**emulator.environment(), "ORT_DISABLE_TELEMETRY": "1"}
    program = folder / "python3"
    command = f'{shlex.join(emulator.command())} -0 "$0" {shlex.join(emulator.python())} "$@"'
    exports = "\n".join(f"export {name}=${{{name}:-{shlex.quote(value)}}}" for name, value in values.items())
    program.write_text(f"#!/bin/sh\n{exports}\nexec {command}\n")
    program.chmod(0o755)


def write_target(folder: Path) -> Path:
    """A target for it that says what it is, which no figure of a real board is taken for."""
    text = (shipped_folder() / "rpi4.toml").read_text().replace('"Raspberry Pi 4 Model B"', f'"{NAME}"', 1)
    folder.mkdir(exist_ok=True)
    path = folder / "pretend-pi.toml"
    path.write_text(text)
    return path
