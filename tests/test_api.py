import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.deprecation import RenamedWarning
from edgekit.errors import DataError, EdgekitError, PlanError, RecipeError
from edgekit.traits import Fidelity


def samples(count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).random((count, 3, 6, 6), np.float32)


FUNCTIONS = ("bench", "build", "calibrate", "explain", "inspect", "plan", "quantize", "setup", "simplify", "study")


def test_the_public_names() -> None:
    assert set(FUNCTIONS) < set(edgekit.__all__) <= set(dir(edgekit))
    assert edgekit.EdgekitError is EdgekitError
    for name in edgekit.__all__:
        assert getattr(edgekit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'prune'"):
        edgekit.prune  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_few_parameters_with_types_and_names_its_error(name: str) -> None:
    function = getattr(edgekit, name)
    assert "Raises EdgekitError" in " ".join(function.__doc__.split())
    signature = inspect.signature(function)
    assert len(signature.parameters) <= 6
    assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())
    returned = str(signature.return_annotation)
    assert any(each in returned for each in edgekit.__all__ if each[0].isupper())


def test_nothing_heavy_comes_with_the_import_and_no_torch_with_the_functions() -> None:
    script = (
        "import sys, edgekit; before = {'numpy', 'onnx', 'onnxruntime', 'msgspec'} & set(sys.modules)\n"
        "[getattr(edgekit, name) for name in edgekit.__all__]\n"
        "print(sorted(before), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_simplified_then_quantized_it_is_what_a_build_makes(conv_model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "calibration.npz", x=samples())
    np.savez(tmp_path / "evaluation.npz", x=samples(4))
    built = edgekit.build(
        conv_model,
        tmp_path / "calibration.npz",
        targets="rpi4",
        options=edgekit.BuildOptions(evaluation=str(tmp_path / "evaluation.npz")),
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
    options = edgekit.QuantizeOptions(calibration_samples=5, step={"per_channel": "no"})
    few = edgekit.quantize(simple, samples(), target="x86-vnni", options=options)
    assert (few.notes["calibration_samples"], few.notes["per_channel"], few.notes["activation"]) == (5, False, "uint8")
    with pytest.raises(PlanError, match=r"quantize takes a graph with folded batch norms, which conv.onnx is not"):
        edgekit.quantize(conv_model, samples(), target="rpi4")
    with pytest.raises(PlanError, match=r"is the model itself"):
        edgekit.quantize(simple, samples(), target="rpi4", output=simple)
    with pytest.raises(RecipeError, match="no option 'bits'"):
        edgekit.quantize(simple, samples(), target="rpi4", options=edgekit.QuantizeOptions(step={"bits": 4}))
    with pytest.raises(DataError, match="holds 12x5 for the input 'x'"):
        edgekit.quantize(simple, np.ones((12, 5), np.float32), target="rpi4")
    with pytest.raises(EdgekitError) as raised:
        edgekit.build(conv_model, targets="rpi4")
    assert (raised.value.message, bool(raised.value.hint)) == ("no samples are given", True)


def test_bench(conv_model: Path) -> None:
    found = edgekit.bench(conv_model, options=edgekit.BenchOptions(seconds=0.05))
    assert any(one.name == "latency_p50" and one.fidelity is Fidelity.NATIVE for one in found.measurements)


def test_nothing_to_do_is_an_error() -> None:
    with pytest.raises(EdgekitError, match="no model is given"):
        edgekit.bench([])
    with pytest.raises(EdgekitError, match="no target is given"):
        edgekit.setup([])


def test_a_project_is_built_from_its_folder(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match=r"there is no edgekit.toml in"):
        edgekit.build(folder=tmp_path)


def test_former_keywords_are_accepted_with_a_warning(conv_model: Path) -> None:
    simple = edgekit.simplify(conv_model).path
    with pytest.warns(
        RenamedWarning, match=r"pass options=edgekit.QuantizeOptions\(calibration_samples=..., step=...\)"
    ):
        few = edgekit.quantize(  # type: ignore[call-arg]
            simple,
            samples(),
            target="x86-vnni",
            calibration_samples=5,
            options={"per_channel": "no"},  # type: ignore[arg-type]
        )
    assert (few.notes["calibration_samples"], few.notes["per_channel"]) == (5, False)
    with (
        pytest.warns(RenamedWarning, match=r"BuildOptions\(float_operators=...\).* rejects placement as"),
        pytest.raises(EdgekitError, match="cannot be read"),
    ):
        edgekit.build(conv_model, conv_model, targets="rpi4", placement="none.json")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'metrics'"):
        edgekit.build(conv_model, metrics="accuracy")  # type: ignore[call-arg]


def test_several_runtimes_are_measured(conv_model: Path) -> None:
    options = edgekit.BenchOptions(seconds=0.05, runtimes="onnxruntime")
    assert [each.runtime.split()[0] for each in edgekit.bench(conv_model, options=options).models] == ["onnxruntime"]


def test_a_recipe_is_checked_without_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = edgekit.plan(targets="rpi4", recipe="failed-int4-first")
    assert found.has_errors and "EK101" in {each.code for each in found.findings} and found.project is None
    with pytest.raises(EdgekitError, match=r"there is no edgekit\.toml in this folder"):
        edgekit.plan(inspect=True)


def test_findings_are_explained() -> None:
    (found,) = edgekit.explain("ek101").findings
    assert found.code == "EK101" and len(edgekit.explain().findings) > 30
    with pytest.raises(EdgekitError, match="no finding has the code 'EK999'"):
        edgekit.explain("EK999")


def test_a_file_is_inspected(conv_model: Path) -> None:
    found = edgekit.inspect(str(conv_model), shapes={"batch": (2,)})
    assert found.operators["Conv"] == 1 and found.macs
    with pytest.raises(EdgekitError, match="there is no file"):
        edgekit.inspect("none.onnx")


def test_an_emulator_is_prepared() -> None:
    (ready,) = edgekit.setup("rpi4")
    assert (ready.target, ready.runner) == ("rpi4", "qemu") and "-cpu cortex-a72, onnxruntime" in ready.what
    with pytest.raises(EdgekitError, match="there is no runner 'qemo' to prepare"):
        edgekit.setup("rpi4", runner="qemo")
    with pytest.raises(EdgekitError, match="a base image is for the runner container"):
        edgekit.setup("rpi4", options=edgekit.SetupOptions(base="debian:12"))
