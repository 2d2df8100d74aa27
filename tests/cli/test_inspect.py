import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_model_is_shown(run_edgekit: Run, conv_model: Path) -> None:
    assert "BatchNormalization" in run_edgekit("inspect", conv_model).stdout
    assert json.loads(run_edgekit("inspect", conv_model, "--json").stdout)["parameters"] == 141


def test_the_lengths_of_axes_may_be_given(run_edgekit: Run, in_steps: Path) -> None:
    output = run_edgekit("inspect", in_steps).stdout
    assert "give its length: --shape steps=128" in " ".join(output.split())
    assert json.loads(run_edgekit("inspect", in_steps, "--shape", "steps=7", "--json").stdout)["macs"] == 7 * 16
    wrong = run_edgekit("inspect", in_steps, "--shape", "step=7")
    assert wrong.returncode == 2 and "no input and no dynamic axis has the name 'step'" in wrong.stderr
