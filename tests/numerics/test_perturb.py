import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime import InferenceSession

from edgekit.numerics.perturb import perturb_ulp


def _model(**arrays: np.ndarray) -> ModelProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    ports = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    nodes = [helper.make_node("Identity", [next(iter(arrays))], ["y"])]
    return helper.make_model(helper.make_graph(nodes, "g", [], ports, tensors))


def _arrays(model: ModelProto) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def test_each_float_moves_by_its_last_places() -> None:
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    model = _model(values=values)
    moved = _arrays(perturb_ulp(model, np.random.default_rng(1)))["values"]
    places = np.abs(moved - values) / np.spacing(np.abs(values))
    assert places.max() <= 4
    assert 0.5 < (places > 0).mean() < 1
    assert np.array_equal(_arrays(model)["values"], values)


def test_what_is_no_rounding_stays() -> None:
    model = _model(
        one=np.array(1, np.float32),
        integers=np.arange(9, dtype=np.int8),
        mask=np.array([0, -np.inf, np.finfo(np.float32).min], np.float32),
    )
    moved = _arrays(perturb_ulp(model, np.random.default_rng(0)))
    assert moved["one"] == 1
    assert np.array_equal(moved["integers"], np.arange(9))
    assert moved["mask"][0] == 0
    assert moved["mask"][1] == -np.inf
    assert np.isfinite(moved["mask"][2])


def _resized(*nodes: NodeProto, **arrays: np.ndarray) -> ModelProto:
    """A model x (n, 4, 3, 5) -> y by these nodes and constants."""
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 3, 5])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(list(nodes), "g", ports, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


NODE = helper.make_node
ONES = np.ones(4, np.float32)
SETTING_SHAPES = {
    "Resize by scales": _resized(
        NODE("Resize", ["x", "", "s"], ["y"], mode="nearest"), s=np.array([1, 1, 2, 2], np.float32)
    ),
    "Resize by roi": _resized(
        NODE("Resize", ["x", "r", "", "to"], ["y"], coordinate_transformation_mode="tf_crop_and_resize", mode="linear"),
        r=np.array([0, 0, 0, 0, 1, 1, 1, 1], np.float32),
        to=np.array([2, 4, 3, 5], np.int64),
    ),
    "Reshape by computed floats": _resized(
        NODE("Shape", ["x"], ["i"]), NODE("Cast", ["i"], ["f"], to=TensorProto.FLOAT), NODE("Mul", ["f", "by"], ["m"]),
        NODE("Cast", ["m"], ["to"], to=TensorProto.INT64), NODE("Reshape", ["x", "to"], ["y"]),
        by=np.array([2, 0.5, 1, 1], np.float32),
    ),
    "Range to a length": _resized(
        NODE("Gather", ["ends", "first"], ["end"]), NODE("Range", ["zero", "end", "one"], ["y"]),
        ends=np.array([3.0000002, 8], np.float32), first=np.array(0), zero=np.float32(0), one=np.float32(1),
    ),
    "Tile by floats": _resized(
        NODE("Cast", ["by"], ["times"], to=TensorProto.INT64), NODE("Tile", ["x", "times"], ["y"]), by=2 * ONES
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SETTING_SHAPES)
def test_constants_that_set_shapes_stay(kind: str) -> None:
    model = SETTING_SHAPES[kind]
    x = np.ones((2, 4, 3, 5), np.float32)
    whole = ReferenceEvaluator(model).run(None, {"x": x})[0]
    for seed in range(5):
        moved = perturb_ulp(model, np.random.default_rng(seed))
        assert moved == model
        assert InferenceSession(moved.SerializeToString()).run(None, {"x": x})[0].shape == whole.shape


def test_a_constant_beside_one_that_sets_shapes_moves() -> None:
    model = _resized(
        NODE("Resize", ["x", "", "s"], ["r"], mode="nearest"), NODE("Mul", ["r", "w"], ["y"]),
        s=np.array([1, 1, 2, 2], np.float32), w=np.linspace(0.1, 1, 10, dtype=np.float32),
    )  # fmt: skip
    moved = _arrays(perturb_ulp(model, np.random.default_rng(0)))
    assert np.array_equal(moved["s"], [1, 1, 2, 2]) and not np.array_equal(moved["w"], _arrays(model)["w"])
