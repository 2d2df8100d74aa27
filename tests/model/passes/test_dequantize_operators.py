from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import ModelProto

from edgekit.model.operators import operator_counts
from edgekit.model.passes.dequantize_operators import DequantizeOperatorsPass, integer_units
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.reading import load_model, save_model
from edgekit.runtimes.ort import host_outputs

STEP = 0.01
X = np.random.default_rng(1).uniform(-2.56, 2.54, (4, 3, 8, 8)).astype(np.float32)


def placed(path: Path, *names: str) -> ModelProto:
    model = rewrite(load_model(path), DequantizeOperatorsPass(names))
    onnx.checker.check_model(model, full_check=True)
    return model


def outputs(model: ModelProto, folder: Path) -> np.ndarray:
    save_model(model, folder / "placed.onnx")
    (given,) = host_outputs(folder / "placed.onnx", (X,), optimize=False)
    return given


def test_units_are_the_operators_between_conversions(in_conversions: Path) -> None:
    units = integer_units(ir.from_proto(load_model(in_conversions)))
    assert list(units) == ["stem", "deep", "point", "add", "mean"]
    assert units["deep"].last.name == "clip" and units["stem"].last is units["stem"].node


@pytest.mark.parametrize(
    ("names", "conversions"),
    [
        # Each QuantizeLinear and DequantizeLinear of activations, and one DequantizeLinear a weight.
        (("stem",), (5, 5 + 1 + 2)),
        (("deep",), (6, 6 + 2)),
        (("stem", "deep"), (4, 4 + 1 + 1)),
        (("point", "add"), (5, 5 + 2)),
        (("stem", "deep", "point", "add", "mean"), (1, 1)),
    ],
)
def test_what_is_on_floats_computes_the_same_but_for_rounding(
    in_conversions: Path, tmp_path: Path, names: tuple[str, ...], conversions: tuple[int, int]
) -> None:
    before = load_model(in_conversions)
    after = placed(in_conversions, *names)
    expected, given = outputs(before, tmp_path), outputs(after, tmp_path)
    assert np.ptp(expected) > 20 * STEP
    assert np.abs(given - expected).max() < 1.01 * STEP
    counts = operator_counts(after)
    assert counts["QuantizeLinear"] == conversions[0]
    assert counts["DequantizeLinear"] <= conversions[1]


def test_what_a_conversion_cut_off_still_is(in_conversions: Path, tmp_path: Path) -> None:
    after = placed(in_conversions, "stem", "deep")
    save_model(after, tmp_path / "placed.onnx")
    (clip,) = (node for node in after.graph.node if node.op_type == "Clip" and node.name != "clip")
    made = {name for node in after.graph.node if node.name == "stem" for name in node.output}
    assert set(clip.input) & made, "the ReLU that the conversion stood for"


def test_weights_become_the_floats_that_they_stand_for(in_conversions: Path) -> None:
    before, after = load_model(in_conversions), placed(in_conversions, "point")
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in before.graph.initializer}
    (node,) = (node for node in after.graph.node if node.name == "point")
    (weight,) = (onnx.numpy_helper.to_array(each) for each in after.graph.initializer if each.name == node.input[1])
    assert np.array_equal(weight, stored["point"].astype(np.float32) * stored["point_s"][:, None, None, None])


def test_nothing_named_changes_nothing(in_conversions: Path) -> None:
    assert placed(in_conversions) == rewrite(load_model(in_conversions))


def test_a_float_model_has_no_units(conv_model: Path) -> None:
    assert not integer_units(ir.from_proto(load_model(conv_model)))
