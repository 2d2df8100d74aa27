from collections.abc import Sequence

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.constants import fold


def made(nodes: Sequence[NodeProto], **constants: object) -> GraphProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    return helper.make_graph(
        nodes,
        "g",
        ports[:1],
        ports[1:],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
    )


def node(kind: str, given: str, output: str, **attributes: object) -> NodeProto:
    return helper.make_node(kind, given.split(), [output], **attributes)


def value(graph: GraphProto, name: str) -> list[int]:
    (maker,) = [each for each in graph.node if name in each.output]
    assert maker.op_type == "Constant"
    return numpy_helper.to_array(maker.attribute[0].t).tolist()


def test_what_follows_from_a_known_shape_is_computed() -> None:
    graph = made(
        [
            node("Shape", "x", "shape", start=0, end=1),
            node("Squeeze", "shape", "batch"),
            node("Constant", "", "heads", value_int=12),
            node("Mul", "batch heads", "rows"),
            node("Unsqueeze", "rows first", "axis"),
            node("Constant", "", "rest", value_ints=[50, 64]),
            node("Concat", "axis rest", "target", axis=0),
            node("Reshape", "x target", "y"),
        ],
        first=np.array([0]),
    )
    assert fold(graph, {"x": (2, 50, 768)}, 20)
    assert value(graph, "target") == [24, 50, 64]
    assert graph.node[-1].op_type == "Reshape" and len(graph.node) == 8
    assert not fold(graph, {"x": (2, 50, 768)}, 20), "done is done"


def test_what_is_not_known_or_not_small_stays() -> None:
    graph = made(
        [node("Shape", "x", "shape"), node("Expand", "one many", "long"), node("Add", "x one", "y")],
        one=np.float32(1),
        many=np.array([1000]),
    )
    assert not fold(graph, {}, 20)
    assert [each.op_type for each in graph.node] == ["Shape", "Expand", "Add"]


def test_values_that_were_left_out_are_not_made_up() -> None:
    graph = made([node("Add", "absent absent", "y")])
    graph.initializer.append(TensorProto(name="absent", data_type=TensorProto.FLOAT, dims=[2]))
    assert not fold(graph, {}, 20)


def test_what_fails_stays() -> None:
    graph = made([node("Reshape", "four three", "y")], four=np.arange(4), three=np.array([3]))
    assert not fold(graph, {}, 20)


def test_operators_of_others_and_several_outputs_stay() -> None:
    graph = made(
        [
            helper.make_node("Add", ["two", "two"], ["a"], domain="mine"),
            helper.make_node("Split", ["two"], ["b", "c"], num_outputs=2),
            node("Neg", "b", "y"),
        ],
        two=np.array([3, 4]),
    )
    assert fold(graph, {}, 20)
    assert [each.op_type for each in graph.node] == ["Add", "Split", "Constant"] and value(graph, "y") == [-3]
