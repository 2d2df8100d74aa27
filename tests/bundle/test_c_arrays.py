"""model.c and model.h, compiled and run."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.builds.result import Build
from edgekit.bundle.c_arrays import ALIGNMENT, PortSource, c_sources
from edgekit.encoding import c_identifier
from edgekit.files import sha256_of_file
from edgekit.model.ports import Port
from tests.conftest import examples

GCC = shutil.which("gcc")
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic")
needs_gcc = pytest.mark.skipif(GCC is None, reason="no gcc here")

MAIN = """
#include <inttypes.h>
#include <stdio.h>
#include "model.h"

int main(void) {
    uint8_t sum = 0;
    for (size_t i = 0; i < PREFIX_model_length; i++) sum = (uint8_t)(sum + PREFIX_model[i]);
    printf("%zu %u %s %s %zu %" PRId64 " %d\\n", PREFIX_model_length, sum, PREFIX_model_sha256, PREFIX_input_0_name,
           PREFIX_input_0_rank, PREFIX_input_0_shape[0], (int)((uintptr_t)PREFIX_model % ALIGNMENT));
    return 0;
}
"""


def compiled(folder: Path, prefix: str) -> str:
    """What the program prints that is built of a bundle's sources."""
    (folder / "main.c").write_text(MAIN.replace("PREFIX", prefix).replace("ALIGNMENT", str(ALIGNMENT)))
    sources = [str(folder / "main.c"), str(folder / "model.c")]
    done = subprocess.run(
        ["gcc", *FLAGS, "-o", str(folder / "program"), *sources], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return subprocess.run([str(folder / "program")], capture_output=True, text=True, check=True).stdout


@needs_gcc
def test_a_bundle_compiles_cleanly_and_holds_the_model(built: Build, tmp_path: Path) -> None:
    for each in built.targets:
        folder = tmp_path / each.target.id
        shutil.copytree(each.bundle, folder)
        model = folder / "model.onnx"
        content = model.read_bytes()
        expected = f"{len(content)} {sum(content) % 256} {sha256_of_file(model)} image 4 -1 0\n"
        assert compiled(folder, "tiny") == expected


@needs_gcc
@settings(max_examples=examples(15))
@given(
    content=st.binary(min_size=1, max_size=40),
    name=st.text(min_size=1, max_size=12),
    port=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
    scale=st.floats(2**-100, 2**100),
)
def test_any_name_compiles(tmp_path: Path, content: bytes, name: str, port: str, scale: float) -> None:
    (tmp_path / "m").write_bytes(content)
    ports = [PortSource(Port(port, "float32", ("batch", 3)), scale, -128)]
    source, header = c_sources(tmp_path / "m", name, "a board", ports, [PortSource(Port("y", "float32", ()))])
    (tmp_path / "model.c").write_text(source)
    (tmp_path / "model.h").write_text(header)
    compiled(tmp_path, c_identifier(name))


def test_names_become_identifiers() -> None:
    assert [c_identifier(name) for name in ("wake-word", "1st", "Ä", "")] == ["wake_word", "_1st", "_", "edge"]
