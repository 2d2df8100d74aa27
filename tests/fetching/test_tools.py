import sys
from pathlib import Path

import pytest

from edgekit.errors import FetchError
from edgekit.fetching.tools import run_tool

SAID = "import sys; sys.exit('first\\nlast words')"


def test_a_tool_says_what_ended_it(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="tool failed: last words") as failed:
        run_tool([sys.executable, "-c", SAID], "tool", "do so")
    assert failed.value.hint == "do so"
    with pytest.raises(FetchError, match="the disk is full"):
        run_tool([sys.executable, "-c", SAID.replace("last", "No space left")], "tool", "")
    with pytest.raises(FetchError, match=r"^meaning$") as failed:
        run_tool([sys.executable, "-c", SAID], "tool", "", meanings={"last": ("meaning", "remedy")})
    assert failed.value.hint == "remedy"
    where = run_tool([sys.executable, "-c", "import os; print(os.getcwd())"], "tool", "", folder=tmp_path)
    assert Path(where.strip()) == tmp_path.resolve()
