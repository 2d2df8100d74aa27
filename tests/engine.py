"""A container engine for the tests, where one can be started, and a base image that it need not pull."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.errors import ContainerError
from edgekit.runners.engine import Engine, find_engine

BASE = "localhost/edgekit-test-base"
_MIRROR = "http://deb.debian.org/debian"
_SOURCES = f"""
deb {_MIRROR} bookworm main
deb {_MIRROR} bookworm-updates main
deb {_MIRROR}-security bookworm-security main
"""
"""As in the official image: the lock pins packages of all three."""
_CONFIG = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""
"""Podman as root in a machine without systemd."""


def configure(folder: Path) -> None:
    """Let Podman start containers in a bare virtual machine, for this process and those that it starts."""
    if shutil.which("podman") and shutil.which("runc") and os.getuid() == 0:
        (folder / "containers.conf").write_text(_CONFIG)
        os.environ["CONTAINERS_CONF"] = str(folder / "containers.conf")


def engine_with_base() -> tuple[Engine, str]:
    """An engine and the name of a Debian 12 that it has; skips with the reason where there is none."""
    try:
        engine = find_engine()
    except ContainerError as error:
        pytest.skip(f"no container engine: {error.message}")
    if not engine.has(BASE):
        _import_base(engine)
    return engine, BASE


def _import_base(engine: Engine) -> None:
    if not engine.run("pull", "--quiet", "debian:bookworm-slim").returncode:
        engine.run("tag", "debian:bookworm-slim", BASE)
        return
    if not shutil.which("debootstrap") or os.getuid():
        pytest.skip("no Debian 12 can be pulled, and there is no debootstrap as root to make one")
    root = Path("/var/tmp/edgekit-test-base")
    shutil.rmtree(root, ignore_errors=True)
    try:
        made = ["debootstrap", "--variant=minbase", "bookworm", str(root), _MIRROR]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        (root / "etc" / "apt" / "sources.list").write_text(_SOURCES)
        packed = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        subprocess.run([*engine.program, "import", "-", BASE], stdin=packed.stdout, check=True, capture_output=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
