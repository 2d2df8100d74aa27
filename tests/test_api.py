import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.errors import DataError, EdgekitError, PlanError, RecipeError
from edgekit.traits import Fidelity


def samples(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, 6, 6), np.float32)


def test_the_public_face() -> None:
    assert edgekit.__all__ == ["__version__", "bench", "build", "calibrate", "quantize", "simplify", "study"]
    assert set(edgekit.__all__) <= set(dir(edgekit))
    for name in edgekit.__all__[1:]:
        function = getattr(edgekit, name)
        assert function.__doc__ and "Raises EdgekitError" in function.__doc__
        parameters = inspect.signature(function).parameters
        first = {"study": "folder", "calibrate": "target"}.get(name, "model")
        assert first in parameters and all(
            each.annotation is not inspect.Parameter.empty for each in parameters.values()
        )
    with pytest.raises(AttributeError, match="no attribute 'prune'"):
        edgekit.prune  # noqa: B018


def test_nothing_heavy_comes_with_the_import_and_no_torch_with_the_functions() -> None:
    script = (
        "import sys, edgekit; before = {'numpy', 'onnx', 'onnxruntime', 'msgspec'} & set(sys.modules)\n"
        "edgekit.build, edgekit.quantize, edgekit.simplify, edgekit.bench, edgekit.study\n"
        "print(sorted(before), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_simplified_then_quantized_it_is_what_a_build_makes(conv_model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "calibration.npz", x=samples())
    np.savez(tmp_path / "evaluation.npz", x=samples(4))
    built = edgekit.build(
        conv_model,
        targets="rpi4",
        calibration=tmp_path / "calibration.npz",
        evaluation=str(tmp_path / "evaluation.npz"),
        folder=tmp_path / "built",
    )
    steps = {run.name: run.artifact.path.read_bytes() for run in built.targets[0].steps}
    simple = edgekit.simplify(conv_model, tmp_path / "calibration.npz")
    assert simple.path == tmp_path / "conv-simplified.onnx" and simple.path.read_bytes() == steps["simplify"]
    whole = edgekit.quantize(simple.path, str(tmp_path / "calibration.npz"), target="rpi4", output=tmp_path / "q.onnx")
    assert whole.path.read_bytes() == steps["quantize"]
    assert whole.bytes == len(steps["quantize"]) and whole.notes["calibration_samples"] == 12
    # Arrays are the same samples as the file that holds them.
    given = edgekit.quantize(simple.path, samples(), target="rpi4", output=tmp_path / "a.onnx")
    named = edgekit.quantize(simple.path, {"x": samples()}, target="rpi4", output=tmp_path / "n.onnx")
    assert given.path.read_bytes() == named.path.read_bytes() == steps["quantize"]


def test_simplify_does_without_samples(conv_model: Path, tmp_path: Path) -> None:
    found = edgekit.simplify(conv_model, output=str(tmp_path / "s.onnx"))
    assert found.path == tmp_path / "s.onnx" and found.notes["compared_on"] == "made-up inputs: no samples were given"


def test_options_and_errors(conv_model: Path) -> None:
    simple = edgekit.simplify(conv_model).path
    few = edgekit.quantize(simple, samples(), target="x86-vnni", calibration_samples=5, options={"per_channel": "no"})
    assert (few.notes["calibration_samples"], few.notes["per_channel"], few.notes["activation"]) == (5, False, "uint8")
    with pytest.raises(PlanError, match=r"quantize takes a graph with folded batch norms, which conv.onnx is not"):
        edgekit.quantize(conv_model, samples(), target="rpi4")
    with pytest.raises(PlanError, match=r"is the model itself"):
        edgekit.quantize(simple, samples(), target="rpi4", output=simple)
    with pytest.raises(RecipeError, match="no option 'bits'"):
        edgekit.quantize(simple, samples(), target="rpi4", options={"bits": 4})
    with pytest.raises(DataError, match="holds 12x5 for the input 'x'"):
        edgekit.quantize(simple, np.ones((12, 5), np.float32), target="rpi4")
    with pytest.raises(EdgekitError) as raised:
        edgekit.build(conv_model, targets="rpi4")
    assert (raised.value.message, bool(raised.value.hint)) == ("no samples are given", True)


def test_bench(conv_model: Path) -> None:
    found = edgekit.bench(conv_model, seconds=0.05)
    assert any(one.name == "latency_p50" and one.fidelity is Fidelity.NATIVE for one in found.measurements)


def test_a_project_is_built_from_its_folder(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match=r"there is no edgekit.toml in"):
        edgekit.build(folder=tmp_path)
