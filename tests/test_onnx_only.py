"""The wheel alone, without torch: what `make test-onnx-only` installs builds from an ONNX file."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.data.split import Split
from edgekit.execution.driver import Driver, StepRun
from edgekit.planning.plan import plan_of
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.target_files import find_target
from edgekit.traits import Data

ROOT = Path(__file__).parent.parent
BIN = ROOT / ".venv-onnx-only" / "bin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BIN / "edgekit").is_file(), reason="make test-onnx-only sets it up"),
]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """digits.onnx, the example's student in floats, and its evaluation images, in folders by digit and in one."""
    folder = tmp_path_factory.mktemp("digits")
    shutil.copytree(ROOT / "examples" / "digits", folder / "project", ignore=shutil.ignore_patterns(".edgekit", "dist"))
    project = load_project(folder / "project")
    plan = plan_of(recipe_from("float", [{"use": "train"}, {"use": "export"}], "here"), project.roles)
    driver, runs = Driver(project, Silent()), list[StepRun]()
    for planned in plan.steps:
        runs.append(driver.step_run(find_target("rpi4"), planned, runs, len(plan.steps)))
    shutil.copyfile(runs[-1].artifact.path, folder / "digits.onnx")
    (images,), labels, _ = Split(project, Data.EVALUATION).alike()
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        for place in (folder / "labelled" / str(label), folder / "plain"):
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(place / f"{number:04}.png")
    return folder


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False)


def test_torch_is_not_there(tmp_path: Path) -> None:
    assert "No module named 'torch'" in run(BIN / "python", "-c", "import torch", cwd=tmp_path).stderr


@pytest.mark.parametrize(("samples", "metric"), [("labelled", "accuracy"), ("plain", "cosine")])
def test_a_file_is_built(digits: Path, samples: str, metric: str, tmp_path: Path) -> None:
    command = [BIN / "edgekit", "build", digits / "digits.onnx", "--calibration", digits / samples, "-C", tmp_path]
    for target in ("rpi4", "rpi5"):
        done = run(*command, "--target", target, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        data = json.loads(done.stdout)
        (built,) = data["targets"]
        assert (built["metric"], built["recipe"], data["data"]["labelled"]) == (metric, "int8", samples == "labelled")
        assert built["reference_bytes"] > 3 * built["bytes"]
        assert {gate["name"]: gate["status"] for gate in built["gates"]}["drop"] == "passed"
        assert (tmp_path / "dist" / target / "manifest.json").is_file()
        again = run(*command, "--target", target, cwd=tmp_path)
        assert "every step came from the cache" in again.stdout
