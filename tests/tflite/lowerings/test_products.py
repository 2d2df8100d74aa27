import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.tflite.lowerings import products
from edgekit.tflite.writing import write_model
from tests.tflite.models import (
    apart,
    check_floats,
    check_integers,
    expected,
    floats,
    integers,
    kinds,
    needs_runtime,
    node,
    samples,
    weights,
)

pytestmark = needs_runtime
RNG = np.random.default_rng(3)


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ["CONV_2D"]),
        ({"pads": [1, 1, 1, 1]}, ["CONV_2D"]),
        ({"pads": [1, 1, 1, 1], "strides": [2, 2]}, ["PAD", "CONV_2D"]),  # SAME would pad 0 and 1
        ({"pads": [0, 0, 1, 1], "strides": [2, 2]}, ["CONV_2D"]),
        ({"pads": [2, 2, 2, 2], "dilations": [2, 2]}, ["CONV_2D"]),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, ["CONV_2D"]),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, ["PAD", "CONV_2D"]),
        ({"auto_pad": "VALID"}, ["CONV_2D"]),
    ],
)
def test_a_convolution_pads_as_onnx_says(options: dict[str, object], wanted: list[str]) -> None:
    constants = {"w": drawn(8, 4, 3, 3), "b": drawn(8)}
    check_floats(floats([1, 4, 8, 10], [node("Conv", ["x", "w", "b"], ["y"], **options)], constants), *wanted)
    dequantized, stored = weights([8, 4, 3, 3])
    conv = node("Conv", ["xd", "wd", "b"], ["yd"], **options)
    check_integers(integers([1, 4, 8, 10], [*dequantized, conv], stored, made=(0.2, 3)), *wanted)


@pytest.mark.parametrize(
    ("given", "shape", "group", "wanted"),
    [
        (12, (12, 1, 3, 3), 12, "DEPTHWISE_CONV_2D"),
        (6, (12, 1, 3, 3), 6, "DEPTHWISE_CONV_2D"),
        (8, (12, 2, 3, 3), 4, "CONV_2D"),
    ],
)
def test_groups_of_channels(given: int, shape: tuple[int, ...], group: int, wanted: str) -> None:
    constants = {"w": drawn(*shape), "b": drawn(shape[0])}
    check_floats(floats([1, given, 7, 6], [node("Conv", ["x", "w", "b"], ["y"], group=group)], constants), wanted)
    dequantized, stored = weights(shape)
    conv = node("Conv", ["xd", "wd", "b"], ["yd"], group=group)
    check_integers(integers([1, given, 7, 6], [*dequantized, conv], stored, made=(0.1, 0)), wanted)


def test_a_convolution_without_bias_and_over_a_sequence() -> None:
    dequantized, stored = weights([6, 5, 3])
    conv = node("Conv", ["xd", "wd"], ["yd"], pads=[1, 1], strides=[1])
    made = integers([1, 5, 9], [*dequantized, conv], stored, made=(0.1, 0))
    check_integers(made, "RESHAPE", "CONV_2D", "RESHAPE")
    assert write_model(made).orders == {"x": (0, 2, 1), "y": (0, 2, 1)}


def test_a_relu_behind_runs_within() -> None:
    constants = {"w": drawn(8, 4, 1, 1), "low": np.float32(0), "high": np.float32(6)}
    conv = node("Conv", ["x", "w"], ["c"])
    check_floats(floats([1, 4, 5, 5], [conv, node("Relu", ["c"], ["y"])], constants), "CONV_2D")
    made = floats([1, 4, 5, 5], [conv, node("Clip", ["c", "low", "high"], ["y"])], constants)
    check_floats(made, "CONV_2D")
    assert write_model(made).graph.operators[0].options["fusedActivationFunction"] == "RELU6"


def test_the_bias_is_in_steps_of_input_times_weights_and_channels_lie_along_the_right_axis() -> None:
    dequantized, stored = weights([6, 1, 3, 3])
    conv = node("Conv", ["xd", "wd", "b"], ["yd"], group=6)
    operator = (made := write_model(integers([1, 6, 5, 5], [*dequantized, conv], stored))).graph.operators[1]
    _, weight, bias = (made.graph.tensors[number] for number in operator.inputs)
    assert weight.quant and weight.quant.axis == 3 and weight.shape == (1, 3, 3, 6)
    assert bias.quant and bias.kind == "int32" and bias.data is not None
    assert bias.quant.scales == pytest.approx(0.03 * stored["sw"], rel=1e-6)
    assert bias.data.tolist() == np.rint(stored["b"] / np.array(bias.quant.scales)).tolist()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"strides": [2, 2]}, ["TRANSPOSE_CONV"]),
        ({"pads": [1, 1, 1, 1]}, ["TRANSPOSE_CONV"]),
        ({"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, ["TRANSPOSE_CONV", "SLICE"]),
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, ["TRANSPOSE_CONV"]),
        ({"strides": [2, 2], "output_shape": [10, 12]}, ["TRANSPOSE_CONV", "SLICE"]),
    ],
)
def test_a_transposed_convolution(options: dict[str, object], wanted: list[str]) -> None:
    constants = {"w": drawn(4, 6, 3, 3), "b": drawn(6)}
    made = floats([1, 4, 5, 6], [node("ConvTranspose", ["x", "w", "b"], ["y"], **options)], constants)
    check_floats(made, *wanted)
    dequantized, stored = weights([4, 6, 3, 3], axis=1)
    conv = node("ConvTranspose", ["xd", "wd", "b"], ["yd"], **options)
    check_integers(integers([1, 4, 5, 6], [*dequantized, conv], stored, made=(0.2, 3)), *wanted)


@pytest.mark.parametrize(
    "options", [{"group": 2}, {"dilations": [2, 2]}, {"strides": [2, 2], "output_padding": [1, 1]}]
)
def test_transposed_convolutions_that_tflite_has_not_are_named(options: dict[str, object]) -> None:
    made = floats(
        [1, 4, 5, 6], [node("ConvTranspose", ["x", "w"], ["y"], name="up", **options)], {"w": drawn(4, 6, 3, 3)}
    )
    with pytest.raises(StepError, match="'up' is ConvTranspose: "):
        write_model(made)


def test_a_matrix_product_is_a_fully_connected_layer_and_by_scales_of_channels_a_convolution() -> None:
    constants = {"w": drawn(6, 20), "b": drawn(6)}
    check_floats(floats([1, 20], [node("Gemm", ["x", "w", "b"], ["y"], transB=1)], constants), "FULLY_CONNECTED")
    dequantized, stored = weights([6, 20])
    gemm = node("Gemm", ["xd", "wd", "b"], ["yd"], transB=1)
    check_integers(integers([1, 20], [*dequantized, gemm], stored), "RESHAPE", "CONV_2D", "RESHAPE")
    single = {**stored, "sw": np.float32(0.01), "zw": np.int8(0)}
    one = [node("DequantizeLinear", ["w", "sw", "zw"], ["wd"]), gemm]
    check_integers(integers([1, 20], one, single), "FULLY_CONNECTED")


def test_a_product_with_axes_in_front() -> None:
    check_floats(floats([1, 5, 20], [node("MatMul", ["x", "w"], ["y"])], {"w": drawn(20, 6)}), "FULLY_CONNECTED")


def test_behind_a_flattened_image_the_weights_are_moved_and_the_image_is_not() -> None:
    constants = {"w": drawn(3, 4, 1, 1), "v": drawn(6, 3 * 20)}
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Flatten", ["c"], ["f"]), node("Gemm", ["f", "v"], ["y"], transB=1)]
    check_floats(floats([1, 4, 4, 5], nodes, constants), "CONV_2D", "RESHAPE", "FULLY_CONNECTED")


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("Conv", ["x", "c"], ["y"], name="it")], "'it' is Conv: its weights are computed"),
        ([node("Conv", ["x", "w", "bias"], ["y"], name="it")], "'it' is Conv: its bias is computed"),
        (
            [node("Conv", ["long", "u"], ["z"], name="it"), node("Reshape", ["z", "to"], ["y"])],
            "over 3 spatial dimensions",
        ),
        ([node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "g"], ["y"], transA=1, name="it")], "transA"),
        ([node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "g"], ["y"], alpha=2.0, name="it")], "alpha or beta"),
        ([node("MatMul", ["x", "x"], ["y"], name="it")], "'it' is MatMul: of two computed tensors"),
        (
            [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "k", "rows"], ["y"], name="it")],
            "differs from row to row",
        ),
    ],
)
def test_what_is_not_written_is_named(nodes: list[object], told: str) -> None:
    before = [
        node("Relu", ["x"], ["c"]),
        node("Reshape", ["x", "flat"], ["r"]),
        node("Slice", ["r", "zero", "four", "zero"], ["bias"]),
        node("Unsqueeze", ["x", "zero"], ["long"]),
    ]
    constants = {
        "w": drawn(4, 4, 1, 1), "u": drawn(2, 4, 1, 1, 1), "g": drawn(1, 6), "flat": np.array([64]),
        "zero": np.array([0]), "four": np.array([4]), "k": drawn(16, 3), "rows": drawn(4, 3), "to": np.array([1, -1]),
    }  # fmt: skip
    with pytest.raises(StepError, match=told):
        write_model(floats([4, 4, 2, 2], [*before, *nodes], constants))


def test_with_dynamic_ranges_weights_alone_are_integers() -> None:
    constants = {"w": drawn(32, 16, 3, 3), "small": drawn(4, 32, 1, 1)}
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Conv", ["c", "small"], ["y"])]
    made = write_model(floats([1, 16, 6, 6], nodes, constants), dynamic=True)
    assert kinds(made) == ["CONV_2D", "CONV_2D"]
    first, second = (made.graph.tensors[each.inputs[1]] for each in made.graph.operators)
    assert (first.kind, second.kind) == ("int8", "float32")
    assert first.quant and len(first.quant.scales) == 32
    model = floats([1, 16, 6, 6], nodes, constants)
    largest = max(np.abs(each).max() for each in expected(model, samples(model)))
    found = apart(model, dynamic=True)
    assert all(each < 0.05 * largest for each in found.values()), found


def test_a_dense_layers_dynamic_weights_have_one_scale_which_older_runtimes_know() -> None:
    made = write_model(floats([1, 64], [node("MatMul", ["x", "w"], ["y"])], {"w": drawn(64, 32)}), dynamic=True)
    quant = made.graph.tensors[made.graph.operators[0].inputs[1]].quant
    assert quant and len(quant.scales) == 1
    assert products._WORTH_ROUNDING <= 64 * 32
