from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgekit.model.passes.rewriting import rewrite
from edgekit.model.passes.slim_graph import SlimGraphPass
from edgekit.model.shapes import with_shapes
from edgekit.runtimes.ort import host_outputs
from tests.model.test_operators import branching


def test_a_port_with_a_short_name_keeps_it(conv_model: Path) -> None:
    model = onnx.load(conv_model)
    x = (np.ones((1, 3, 6, 6), np.float32),)
    expected = host_outputs(conv_model, x)[0]
    for node in model.graph.node:
        node.input[:] = ["4" if name == "x" else name for name in node.input]
    model.graph.input[0].name = "4"
    onnx.save(rewrite(model, SlimGraphPass()), conv_model)
    assert [each.name for each in onnx.load(conv_model).graph.input] == ["4"]
    assert np.array_equal(host_outputs(conv_model, x)[0], expected)


def test_names_shapes_and_domains_that_nobody_reads_go(conv_model: Path) -> None:
    model = with_shapes(onnx.load(conv_model))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node[0].name = "a long name"
    slim = rewrite(model, SlimGraphPass())
    assert not slim.graph.value_info and not any(node.name for node in slim.graph.node)
    assert [each.domain for each in slim.opset_import] == [""]
    assert max(len(name) for node in slim.graph.node for name in (*node.input, *node.output)) <= 2
    assert [each.SerializeToString() for each in slim.graph.input] == [
        each.SerializeToString() for each in model.graph.input
    ]


def test_branches_still_find_the_tensors_outside_of_them(tmp_path: Path) -> None:
    model = branching()
    onnx.save(rewrite(model, SlimGraphPass()), tmp_path / "slim.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "slim.onnx"))
    x = np.array([3.0], np.float32)
    for condition, expected in ((True, 4.0), (False, 3.0)):
        assert host_outputs(tmp_path / "slim.onnx", (np.array(condition), x))[0].tolist() == [expected]


def test_what_a_loop_carries_keeps_its_type(tmp_path: Path) -> None:
    def value(name: str, kind: int, shape: list[object] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    number, truth, floats = TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT
    body = helper.make_graph(
        [helper.make_node("Add", ["carried", "x"], ["next"]), helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [value("i", number, []), value("go", truth, []), value("carried", floats, [1])],
        [value("on", truth, []), value("next", floats, [1])],
    )
    loop = helper.make_node("Loop", ["times", "", "x"], ["y"], body=body)
    ports = [value("times", number, []), value("x", floats, [1])], [value("y", floats, [1])]
    graph = helper.make_graph([loop], "g", *ports)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(rewrite(model, SlimGraphPass()), tmp_path / "slim.onnx")
    x = np.array([2.0], np.float32)
    assert host_outputs(tmp_path / "slim.onnx", (np.array(3), x))[0].tolist() == [8.0]


def test_a_tensor_of_a_branch_with_the_name_of_a_port_stays(tmp_path: Path) -> None:
    """An inner tensor may not shadow an outer one: names are told apart over all graphs."""
    model = branching()
    inner = model.graph.node[0].attribute[0].g
    inner.node[0].output[0] = "0"
    inner.output[0].name = "0"
    onnx.save(rewrite(model, SlimGraphPass()), tmp_path / "slim.onnx")
    names = [
        name for graph in _graphs(onnx.load(tmp_path / "slim.onnx").graph) for n in graph.node for name in n.output
    ]
    assert len(set(names)) == len(names)
    given = host_outputs(tmp_path / "slim.onnx", (np.array(True), np.array([1.0], np.float32)))
    assert given[0].tolist() == [2.0]


def _graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    return [graph, *(inner for n in graph.node for a in n.attribute if a.HasField("g") for inner in _graphs(a.g))]
