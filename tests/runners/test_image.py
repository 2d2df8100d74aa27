import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.errors import ContainerError, EmulatorError
from edgekit.fetching import lock
from edgekit.fetching.lock import Lock
from edgekit.fetching.packages import can_fetch_packages
from edgekit.fetching.source import Source
from edgekit.progress import Silent
from edgekit.runners.engine import Engine
from edgekit.runners.image import BASE, base_image, build_image, check_emulated, dockerfile, image_name
from edgekit.target_files import find_target
from tests.indices import sha256, use_mirror, write_package
from tests.notes import Notes

RPI4 = find_target("rpi4")


def engine(folder: Path, script: str) -> Engine:
    """One that has no image, and builds as the script says."""
    program = folder / "engine"
    program.write_text(f'#!/bin/sh\nif [ "$1" = image ]; then exit 1; fi\n{script}\n')
    program.chmod(0o755)
    return Engine((str(program),), "1", 2**33, 4, "amd64")


def test_the_image_is_named_by_what_is_inside() -> None:
    assert image_name(RPI4).startswith("edgekit-aarch64:onnxruntime-1.32.0-")
    assert image_name(find_target("x86-avx2")).startswith("edgekit-x86-64:")
    assert image_name(find_target("rpi5")) == image_name(RPI4), "the CPU model is chosen when it is started"
    assert dockerfile().is_file()
    check_emulated(RPI4)


def test_it_is_built_from_the_runtimes_wheels(tmp_path: Path) -> None:
    build_image(engine(tmp_path, f'for last; do :; done; ls "$last/site" > {tmp_path}/site'), RPI4, "base", Silent())
    assert {"numpy", "onnxruntime"} <= set((tmp_path / "site").read_text().split())


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'no space left on device' >&2; exit 1", "the container engine's disk is full"),
        ("echo 'lookup deb.debian.org: no such host' >&2; exit 1", "could not be built: lookup deb.debian.org"),
    ],
)
def test_what_stopped_the_build_is_reported(script: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match=message):
        build_image(engine(tmp_path, script), RPI4, "base", Silent())


def test_a_target_of_32_bits_has_no_image() -> None:
    with pytest.raises(EmulatorError, match="there is no image for armv7l") as raised:
        check_emulated(find_target("rpi-armv7l"))
    assert "omit --runner" in raised.value.hint


def test_the_packages_inside_are_pinned(tmp_path: Path) -> None:
    save = f'for last; do :; done; cp -r "$last" {tmp_path}/context'
    build_image(engine(tmp_path, save), RPI4, "base", Silent())
    for name, wanted in (("guest", "libstdc++6_"), ("emulator", "qemu-user_"), ("compiler", "gcc_")):
        lines = (tmp_path / "context" / f"{name}.sha256").read_text().splitlines()
        pins = dict(reversed(line.split("  ")) for line in lines)
        assert any(file.startswith(wanted) for file in pins) and all(len(digest) == 64 for digest in pins.values())
    assert (tmp_path / "context" / "fetch.sh").is_file()


def test_a_base_whose_mirror_has_other_packages(tmp_path: Path) -> None:
    gone = "E: Version '1' for 'qemu-user' was not found"
    fail = f'echo "{gone}"; echo "exit status 100" >&2; exit 1'
    script = f'for last; do :; done; if [ -s "$last/guest.sha256" ]; then {fail}; fi'
    with pytest.raises(ContainerError, match=f"the image could not be built: {gone}") as raised:
        build_image(engine(tmp_path, script), RPI4, "base", Silent())
    assert "--unpinned" in raised.value.hint
    notes = Notes()
    build_image(engine(tmp_path, script), RPI4, "base", notes, Source(unpinned=True))
    assert "does not have the packages that edgekit pins" in notes.texts[-1]


def test_the_base_is_pinned_where_the_lock_has_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = f"sha256:{'0' * 64}"
    monkeypatch.setattr(lock, "shipped_lock", lambda: Lock(images={BASE: digest}))
    assert base_image() == f"{BASE}@{digest}"
    monkeypatch.setattr(lock, "shipped_lock", Lock)
    assert base_image() == BASE


@pytest.mark.skipif(not can_fetch_packages(Source()), reason="needs apt and dpkg")
def test_the_script_inside_refuses_other_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run here, with a mirror of one package."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    deb = write_package(mirror, "top", "1:2.0")
    use_mirror(mirror, monkeypatch)
    script = dockerfile().with_name("fetch.sh").read_text().replace("/tmp/", f"{tmp_path}/")
    pinned = tmp_path / "own.sha256"

    def fetch() -> int:
        shutil.rmtree(tmp_path / "own", ignore_errors=True)
        return subprocess.run(["sh", "-c", script, "sh", "own", "arm64", "top"], capture_output=True).returncode

    pinned.write_text(f"{sha256(deb)}  {deb.name}\n")
    assert fetch() == 0 and [each.name for each in (tmp_path / "own").iterdir()] == [deb.name]
    pinned.write_text(f"{'0' * 64}  {deb.name}\n")
    assert fetch() != 0
    pinned.write_text(f"{sha256(deb)}  top_1%3a1.0_all.deb\n")
    assert fetch() != 0
