from pathlib import Path

import onnx
from onnx import TensorProto, helper

from edgekit.model.shapes import for_one_sample, known_shapes, shapes_of, types_of, with_shapes


def stated(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    """What a file says of its inner tensors and outputs."""
    return {
        each.name: [d.dim_param or d.dim_value for d in each.type.tensor_type.shape.dim]
        for each in (*model.graph.value_info, *model.graph.output)
    }


def test_every_inner_tensor_gets_its_shape(conv_model: Path) -> None:
    model = with_shapes(onnx.load(conv_model))
    found = stated(model)
    assert found["c"] == ["batch", 4, 6, 6] and found["f"] == ["batch", 4]


def test_shapes_are_known_for_one_sample_even_where_the_file_has_none(conv_model: Path) -> None:
    model = onnx.load(conv_model)
    assert not model.graph.value_info
    assert known_shapes(model)["r"] == (1, 4, 6, 6)
    assert not model.graph.value_info, "the model itself stays as it is"


def test_the_operators_win_over_what_the_file_says() -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 3), ("y", 4))]
    nodes = [helper.make_node("Neg", ["x"], ["i"]), helper.make_node("Relu", ["i"], ["y"])]
    stale = [helper.make_tensor_value_info("i", TensorProto.FLOAT, [7, 7, 7])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], value_info=stale)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert stated(with_shapes(model)) == {"i": ["n", 3], "y": ["n", 3]}
    assert known_shapes(model)["i"] == known_shapes(model)["y"] == (1, 3)
    assert stated(model) == {"i": [7, 7, 7], "y": ["n", 4]}, "the model itself stays as it is"


def test_sizes_that_hang_on_an_axis_are_told_by_its_name() -> None:
    tail = [
        helper.make_node("Transpose", ["y"], ["t"], perm=[1, 0]),
        helper.make_node("NonZero", ["t"], ["places"]),
        helper.make_node("Concat", ["y", "y"], ["twice"], axis=0),
    ]
    assert stated(with_shapes(folded(*tail))) | {"places": []} == {
        "size": [3],
        "count": [],
        "rows": [],
        "axis": [1],
        "target": [2],
        "y": ["rows", 24],
        "t": [24, "2*batch"],
        "places": [],
        "twice": ["4*batch", 24],
    }


def folded(*tail: onnx.NodeProto) -> onnx.ModelProto:
    """x (batch, 6, 8) reshaped to (batch x 2, 24) by a shape that is computed."""
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Gather", ["size", "zero"], ["count"]),
        helper.make_node("Mul", ["count", "two"], ["rows"]),
        helper.make_node("Reshape", ["rows", "one"], ["axis"]),
        helper.make_node("Concat", ["axis", "width"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
        *tail,
    ]
    constants = {"zero": [], "two": [], "one": [1], "width": [1]}
    values = {"zero": [0], "two": [2], "one": [1], "width": [24]}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 6, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 24])],
        [helper.make_tensor(name, TensorProto.INT64, sizes, values[name]) for name, sizes in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_computed_shapes_are_followed() -> None:
    assert known_shapes(folded())["y"] == (2, 24)
    assert shapes_of(for_one_sample(folded(), {"batch": [3]}).graph)["y"] == (6, 24)


def test_what_the_file_states_serves_where_nothing_can_be_inferred() -> None:
    model = folded(helper.make_node("Twist", ["y"], ["t"], domain="mine"), helper.make_node("Relu", ["t"], ["r"]))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert "t" not in known_shapes(model)
    model.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, ["batch", 5]))
    assert known_shapes(model)["t"] == known_shapes(model)["r"] == (1, 5)


def test_axes_without_names_may_be_named_all_at_once() -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    assert "y" not in known_shapes(model)
    assert shapes_of(for_one_sample(model, {"?": [7]}).graph)["y"] == (7, 7, 4)


def test_inner_graphs_get_shapes_and_types(branching: onnx.ModelProto) -> None:
    shaped = for_one_sample(branching)
    inner = next(each.g for each in shaped.graph.node[1].attribute)
    assert shapes_of(inner)["o"] == (1, 4) and types_of(inner)["o"] == TensorProto.FLOAT
    assert shapes_of(shaped.graph)["y"] == (1, 4)


def test_what_stops_inference_takes_nothing_away() -> None:
    model = folded(helper.make_node("Twist", ["y"], ["t"], domain="not imported"))
    model.graph.value_info.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, ["batch", 5]))
    assert known_shapes(model)["t"] == (1, 5)
