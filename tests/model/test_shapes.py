from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ModelError
from edgekit.model.shapes import known_shapes, with_shapes


def test_every_inner_tensor_gets_its_shape(conv_model: Path) -> None:
    model = with_shapes(onnx.load(conv_model))
    found = {
        each.name: [d.dim_param or d.dim_value for d in each.type.tensor_type.shape.dim]
        for each in model.graph.value_info
    }
    assert found["c"] == ["batch", 4, 6, 6] and found["f"] == ["batch", 4]


def test_shapes_are_known_for_one_sample_even_where_the_file_has_none(conv_model: Path) -> None:
    model = onnx.load(conv_model)
    assert not model.graph.value_info
    assert known_shapes(model)["r"] == (1, 4, 6, 6)
    assert not model.graph.value_info, "the model itself stays as it is"


def test_the_runtimes_own_operators_have_shapes_too() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("FusedMatMul", ["x", "w"], ["m"], domain="com.microsoft"),
            helper.make_node("Relu", ["m"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor("w", TensorProto.FLOAT, [3, 5], [0.0] * 15)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    )
    assert known_shapes(model)["m"] == (1, 5)


def test_shapes_that_contradict_each_other_are_told() -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, size]) for name, size in (("x", 3), ("y", 4))]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with pytest.raises(ModelError, match=r"the shapes in the graph contradict each other: .*4"):
        with_shapes(model)
