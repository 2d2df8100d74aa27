from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.unsigned import to_signed, to_unsigned


def test_every_number_stands_for_what_it_stood_for() -> None:
    """int8 in and out of a product, a bias, a table that is shared; by kernels as written."""
    random = np.random.default_rng(0)
    constants = {
        "s": np.float32(0.05), "z": np.int8(-7), "w": random.integers(-128, 128, (8, 8)).astype(np.int8),
        "ws": np.full(8, 0.02, np.float32), "wz": np.zeros(8, np.int8), "rows": np.array([3, 1, 0]),
        "out": np.float32(0.2),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=1),
        helper.make_node("MatMul", ["d", "wd"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "out", "z"], ["r"]),
        helper.make_node("Constant", [], ["same"], value=numpy_helper.from_array(np.int8(-7))),
        helper.make_node("DequantizeLinear", ["r", "out", "same"], ["y"]),
        helper.make_node("Gather", ["w", "rows"], ["table"]),
        helper.make_node("DequantizeLinear", ["table", "ws", "wz"], ["t"], axis=1),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xyt"]
    graph = helper.make_graph(
        nodes, "g", ports[:1], ports[1:], [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model = onnx.shape_inference.infer_shapes(model)
    given = {"x": random.standard_normal((5, 8)).astype(np.float32)}
    outputs = []
    for each in (model, to_unsigned(model)):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        running = onnxruntime.InferenceSession(each.SerializeToString(), options, providers=["CPUExecutionProvider"])
        outputs.append(running.run(None, given))
    for left, right in zip(*outputs, strict=True):
        assert np.array_equal(left, right) and left.std() > 0
    kinds = {each.data_type for each in to_unsigned(model).graph.initializer}
    assert TensorProto.INT8 not in kinds and TensorProto.INT8 in {each.data_type for each in model.graph.initializer}


@pytest.mark.parametrize("zero", [True, False])
def test_products_of_numbers_that_each_run_quantizes(zero: bool) -> None:
    """Without a zero point there is none to shift."""
    random = np.random.default_rng(0)
    numbers = {
        "w": random.integers(-128, 128, (8, 4)).astype(np.int8), "s": np.full(4, 0.05, np.float32),
        "z": np.zeros(4, np.int8),
    }  # fmt: skip
    inputs = ["x", "w", "s", "z"] if zero else ["x", "w", "s"]
    product = helper.make_node("DynamicQuantizeMatMul", inputs, ["y"], domain="com.microsoft")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy")
    graph = helper.make_graph(
        [product], "g", [x], [y], [numpy_helper.from_array(numbers[name], name) for name in inputs[1:]]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    shifted = to_unsigned(model)
    kinds = {each.data_type for each in shifted.graph.initializer}
    assert (TensorProto.INT8 in kinds) is not zero
    given = (random.standard_normal((5, 8)) / 4).astype(np.float32)
    running = onnxruntime.InferenceSession(shifted.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = given @ (numbers["w"].astype(np.float32) * 0.05)
    if zero:
        assert np.abs(running.run(None, {"x": given})[0] - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["MatMulInteger", "MatMulIntegerToFloat"])
def test_products_with_zero_points_are_shifted(kind: str) -> None:
    """As attention's products between two activations are."""
    random = np.random.default_rng(0)
    numbers = [
        ("w", random.integers(-128, 128, (8, 4)).astype(np.int8)), ("s", np.array(0.05, np.float32)),
        ("zx", np.array(-7, np.int8)), ("zw", np.array(3, np.int8)),
    ]  # fmt: skip
    quantized = helper.make_node("QuantizeLinear", ["x", "s", "zx"], ["q"])
    if kind == "MatMulInteger":
        product = helper.make_node(kind, ["q", "w", "zx", "zw"], ["y"])
    else:
        product = helper.make_node(kind, ["q", "w", "s", "s", "zx", "zw"], ["y"], domain="com.microsoft")
    given = TensorProto.INT32 if kind == "MatMulInteger" else TensorProto.FLOAT
    ports = (
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", given, None)],
    )
    graph = helper.make_graph([quantized, product], "g", *ports, [numpy_helper.from_array(a, n) for n, a in numbers])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    x = (random.standard_normal((5, 8)) / 4).astype(np.float32)
    q = np.clip(np.round(x / np.float32(0.05)) - 7, -128, 127).astype(int)
    exact = (q + 7) @ (numbers[0][1].astype(int) - 3)
    shifted = to_unsigned(model)
    assert TensorProto.INT8 not in {each.data_type for each in shifted.graph.initializer}
    running = onnxruntime.InferenceSession(shifted.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = running.run(None, {"x": x})
    assert np.allclose(y, exact if kind == "MatMulInteger" else exact * 0.05**2, rtol=1e-5, atol=1e-5)


def small(nodes: list[onnx.NodeProto], port: int = TensorProto.FLOAT) -> onnx.ModelProto:
    (x, y) = (helper.make_tensor_value_info(name, port, None) for name in "xy")
    constants = [
        numpy_helper.from_array(array, name) for name, array in (("s", np.float32(1)), ("w", np.ones((2, 2), np.int8)))
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize(
    "model",
    [
        small([helper.make_node("Add", ["x", "w"], ["y"])], TensorProto.INT8),
        small([helper.make_node("DequantizeLinear", ["w", "s"], ["y"])]),
        small([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], TensorProto.UINT8),
        small([helper.make_node("MatMulInteger", ["x", "w", "", "w"], ["y"])], TensorProto.UINT8),
        small([helper.make_node("QuantizeLinear", ["x", "s", ""], ["y"], output_dtype=TensorProto.INT8)]),
        small([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT8)]),
    ],
)
def test_what_cannot_be_shifted_stays_signed(model: onnx.ModelProto) -> None:
    assert to_unsigned(model) == model


def test_signed_numbers_stand_for_what_they_stood_for(in_conversions: Path) -> None:
    model = onnx.load(in_conversions)
    after = to_signed(model)
    onnx.checker.check_model(after, full_check=True)
    assert not any(each.data_type == TensorProto.UINT8 for each in after.graph.initializer)
    x = {"x": np.random.default_rng(0).uniform(-2.56, 2.54, (4, 3, 8, 8)).astype(np.float32)}
    outputs = []
    for each in (model, after):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        running = onnxruntime.InferenceSession(each.SerializeToString(), options, providers=["CPUExecutionProvider"])
        outputs.append(running.run(None, x)[0])
    assert np.array_equal(*outputs)
