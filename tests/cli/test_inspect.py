import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_model_is_shown(run_edgekit: Run, conv_model: Path) -> None:
    assert "BatchNormalization" in run_edgekit("inspect", conv_model).stdout
    assert json.loads(run_edgekit("inspect", conv_model, "--json").stdout)["parameters"] == 149
