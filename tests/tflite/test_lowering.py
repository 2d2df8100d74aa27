import numpy as np
import onnx_ir as ir
import pytest
from onnx import helper

from edgekit.errors import StepError
from edgekit.tflite.lowering import constant_of, has_same_order, quant_params_of, stored_constant
from edgekit.tflite.writing import write_model
from tests.tflite.models import check_integers, floats, integers, kinds, needs_runtime, node, weights


@pytest.mark.parametrize(
    ("shape", "permutation", "wanted"),
    [((1, 4, 5, 6), (0, 2, 3, 1), False), ((1, 4, 1, 1), (0, 2, 3, 1), True), ((1, 1, 5, 6), (0, 2, 3, 1), True)],
)
def test_axes_of_one_may_change_places_for_nothing(shape: tuple[int], permutation: tuple[int], wanted: bool) -> None:
    assert has_same_order(shape, permutation) is wanted


def test_constants_behind_a_dequantize_linear() -> None:
    dequantized, stored = weights([6, 4, 3, 3])
    model = ir.from_proto(floats([1, 4, 5, 6], [*dequantized, node("Conv", ["x", "wd", "b"], ["y"])], stored))
    weight = model.graph.node(1).inputs[1]
    found = stored_constant(weight)
    assert found is not None and found.quant.axis == 0 and len(found.quant.scales) == 6
    assert constant_of(weight) == pytest.approx(stored["w"] * stored["sw"].reshape(-1, 1, 1, 1), rel=1e-6)
    assert stored_constant(model.graph.node(1).inputs[0]) is None


def test_a_grid_is_that_of_int8() -> None:
    made = ir.from_proto(integers([1, 8], [node("Relu", ["xd"], ["yd"])], kind=np.uint8))
    quant = quant_params_of(made.graph.node(0))
    assert quant is not None and (quant.scale, quant.zero) == (pytest.approx(0.03), -5)


@needs_runtime
def test_an_operator_in_floats_between_integers_is_an_island() -> None:
    dequantized, stored = weights([4, 4, 1, 1])
    nodes = [*dequantized, node("Relu", ["xd"], ["r"]), node("Conv", ["r", "wd", "b"], ["yd"])]
    check_integers(integers([1, 4, 5, 6], nodes, stored), "DEQUANTIZE", "RELU", "CONV_2D", "QUANTIZE")


@needs_runtime
@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            node("Einsum", ["x", "x"], ["y"], equation="ij,kj->ik", name="it"),
            "'it' is Einsum, an operator that edgekit",
        ),
        (helper.make_node("Thing", ["x"], ["y"], domain="acme", name="it"), "'it' is acme.Thing, an operator"),
    ],
)
def test_an_operator_that_is_not_written_is_named(made: object, told: str) -> None:
    model = floats([1, 4], [node("Relu", ["x"], ["y"])])
    del model.graph.node[:]
    model.graph.node.append(made)
    model.opset_import.append(helper.make_opsetid("acme", 1))
    with pytest.raises(StepError, match=told):
        write_model(model)


@needs_runtime
def test_a_tensor_that_two_need_otherwise_is_moved_once() -> None:
    nodes = [
        node("MaxPool", ["x"], ["p"], kernel_shape=[1, 1]),
        node("Softmax", ["p"], ["a"], axis=2),
        node("Softmax", ["p"], ["b"], axis=2),
        node("Add", ["a", "b"], ["y"]),
    ]
    assert kinds(write_model(floats([1, 4, 5, 6], nodes))).count("TRANSPOSE") == 1
