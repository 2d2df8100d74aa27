import sys
from pathlib import Path

import pytest

from edgekit.errors import BoardError, EmulatorError
from edgekit.runners.wheels import install_wheels, run_tool
from edgekit.target import Runtime


def test_a_version_that_there_is_none_of_is_an_error_with_the_hint(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"pip failed: .*0\.0\.1") as failed:
        install_wheels(Runtime(name="onnxruntime", version="0.0.1"), "aarch64", "311", tmp_path, BoardError, "do so")
    assert failed.value.hint == "do so" and not list(tmp_path.iterdir())


def test_a_tool_says_what_ended_it() -> None:
    said = "import sys; sys.exit('first\\nlast words')"
    with pytest.raises(EmulatorError, match="tool failed: last words"):
        run_tool([sys.executable, "-c", said], "tool", EmulatorError, "")
    with pytest.raises(EmulatorError, match="the disk is full"):
        run_tool([sys.executable, "-c", said.replace("last", "No space left")], "tool", EmulatorError, "")
