"""Programs that download and unpack."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.errors import FetchError, last_line

_TIMEOUT_S = 900


def run_tool(
    command: Sequence[str],
    name: str,
    hint: str,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    meanings: Mapping[str, tuple[str, str]] | None = None,
) -> str:
    """The output of a program that downloads or unpacks, run in `folder`. Raises FetchError with its last line and
    `hint` if it fails, or with the message and hint in `meanings` whose key is in its output."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as late:
        raise FetchError(
            f"{name} did not finish within {_TIMEOUT_S // 60} minutes", "check the network and run it again"
        ) from late
    if done.returncode:
        value = done.stderr or done.stdout
        for mark, (message, remedy) in (meanings or {}).items():
            if mark in value:
                raise FetchError(message, remedy)
        if "No space left" in value:
            raise FetchError(f"the disk is full: {name} could not write", "free about 400 MB and run it again")
        raise FetchError(f"{name} failed: {last_line(value)}", hint)
    return done.stdout
