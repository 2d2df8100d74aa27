from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from edgekit.contract.step import Outcome
from edgekit.errors import StepError
from edgekit.model.passes.dynamic_products import DynamicProductsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.reading import load_model, save_model
from edgekit.project.project import Project
from edgekit.runtimes import ort
from edgekit.runtimes.ort import host_outputs
from edgekit.steps.fuse import Fuse, _float_differences
from edgekit.steps.quantize import Quantize


@pytest.fixture
def quantized(run_step: Callable[..., Outcome], tiny: Project, plain: Path) -> Path:
    return run_step(Quantize(), tiny, plain).path


def test_every_operator_computes_on_integers_and_the_outputs_stay(
    run_step: Callable[..., Outcome], tiny: Project, quantized: Path
) -> None:
    done = run_step(Fuse(), tiny, quantized)
    assert (done.notes["activations"], done.notes["float_operators"]) == (["int8"], {})
    assert done.notes["integer_operators"] >= 4
    assert done.notes["steps_off"] <= 1
    x = (np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32),)
    before, after = host_outputs(quantized, x)[0], host_outputs(done.path, x)[0]
    assert np.abs(before - after).max() < 0.05 * np.abs(before).max()


def test_activations_that_change_their_type_are_reported(
    run_step: Callable[..., Outcome], tiny: Project, quantized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ONNX Runtime does on x86 when it is not told to keep int8."""
    real = ort.optimize_offline

    def forgetful(source: Path, path: Path, **_: bool) -> None:
        real(source, path, keep_int8_activations=False)

    monkeypatch.setattr(ort, "optimize_offline", forgetful)
    with pytest.raises(StepError, match="changed the activations from int8 to"):
        run_step(Fuse(), tiny, quantized)


def test_slimming_keeps_ports_and_outputs_and_saves_bytes(
    run_step: Callable[..., Outcome], tiny: Project, quantized: Path
) -> None:
    plain, slim = run_step(Fuse(slim=False), tiny, quantized), run_step(Fuse(), tiny, quantized)
    assert slim.notes["bytes"] < 0.8 * plain.notes["bytes"]
    left, right = load_model(plain.path).graph, load_model(slim.path).graph
    assert [each.name for each in (*left.input, *left.output)] == [each.name for each in (*right.input, *right.output)]
    x = (np.ones((2, 1, 8, 8), np.float32),)
    assert np.array_equal(host_outputs(plain.path, x)[0], host_outputs(slim.path, x)[0])


def faulty(shape_length: int) -> Callable[..., None]:
    """ONNX Runtime's optimization with a fault: the first constant of so many axes changes its sign."""
    real = ort.optimize_offline

    def optimize(source: Path, path: Path, **options: bool) -> None:
        real(source, path, **options)
        model = onnx.load(path)
        wrong = next(each for each in model.graph.initializer if len(each.dims) == shape_length)
        wrong.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(wrong), wrong.name))
        onnx.save(model, path)

    return optimize


def test_more_than_one_integer_step_is_refused_where_it_is(
    run_step: Callable[..., Outcome], tiny: Project, quantized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "optimize_offline", faulty(4))
    with pytest.raises(StepError, match=r"'.*' \(QLinearConv\) differs by \d+ LSB") as raised:
        run_step(Fuse(), tiny, quantized)
    assert "the device's runtime does the same when it loads the model" in raised.value.hint


def test_a_float_graph_is_held_against_its_source_too(
    run_step: Callable[..., Outcome], tiny: Project, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_step(Fuse(), tiny, plain)
    assert done.notes["difference"] <= done.notes["tolerance"] == 1e-4
    assert done.notes["compared_on"] == "8 calibration samples"
    monkeypatch.setattr(ort, "optimize_offline", faulty(4))
    with pytest.raises(StepError, match="fusing changes the model's outputs: they differ by"):
        run_step(Fuse(), tiny, plain)


def test_where_each_run_finds_its_ranges_rounding_moves_steps(attending: Path, tmp_path: Path) -> None:
    model = rewrite(load_model(attending), DynamicProductsPass(reduced=False))
    source, fused = tmp_path / "source.onnx", tmp_path / "fused.onnx"
    x = (np.random.default_rng(0).standard_normal((8, 1, 8, 8)).astype(np.float32),)
    save_model(model, source)
    (scale,) = (
        each for each in model.graph.initializer if each.name.startswith("head") and each.data_type == TensorProto.FLOAT
    )
    plain = numpy_helper.to_array(scale)
    for factor in (1.005, 1.5):
        scale.CopyFrom(numpy_helper.from_array(plain * np.float32(factor), scale.name))
        save_model(model, fused)
        if factor < 1.01:
            found = _float_differences(source, fused, x)
            assert 0.004 < found["difference"] <= found["tolerance"] <= 0.2
        else:
            with pytest.raises(StepError, match="fusing changes the model's outputs"):
                _float_differences(source, fused, x)
