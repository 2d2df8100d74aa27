from pathlib import Path

import pytest

from edgekit.errors import ContainerError, EmulatorError
from edgekit.progress import Silent
from edgekit.runners.engine import Engine
from edgekit.runners.image import build_image, check_emulated, dockerfile, image_name
from edgekit.target_files import find_target

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
