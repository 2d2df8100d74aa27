"""Models from the wild, built and run by their packages: what `make test-wild` installs."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv-wild" / "bin" / "python"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason="make test-wild sets it up"),
]


@pytest.mark.parametrize(
    "name", ["rapidocr-cls", "magika", "silero-vad", "silero-vad-op18-ifless", "silero-vad-16k-sequence"]
)
def test_a_package_gives_the_same_with_our_file(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    command = [PYTHON, "benchmarks/wild.py", name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value = json.loads((tmp_path / "benchmarks" / "results" / "wild.json").read_text())["models"][name]
    for target, each in value["targets"].items():
        assert each["agreement"] >= value["level"], (target, each)
        assert each["bytes"] <= 1.02 * value["own_bytes"] or each["recipe"] == "float", target
        assert each["recipe"] in ("int8", "int8-dynamic") or each["rejected_recipes"], target
