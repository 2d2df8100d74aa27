from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper

from edgekit.model.passes.rewriting import replace, rewrite
from edgekit.runtimes.ort import host_outputs
from tests.model.test_operators import branching


def doubled(model: ir.Model) -> None:
    """Identity becomes a negation of a negation: two nodes in the place of one, in whatever graph."""
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Identity":
            once = ir.node("Neg", node.inputs)
            once.outputs[0].name = "x"
            replace(model, node, [once, ir.node("Neg", once.outputs)])


def test_a_replacement_inside_a_branch_keeps_its_output() -> None:
    model = rewrite(branching(), doubled)
    onnx.checker.check_model(model)
    other = next(each.g for each in model.graph.node[0].attribute if each.name == "else_branch")
    assert [node.op_type for node in other.node] == ["Neg", "Neg"]
    assert other.output[0].name == "same" == other.node[-1].output[0]


def test_a_graph_output_that_is_replaced_keeps_its_name_and_its_readers(tmp_path: Path) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("a", "y", "z")]
    nodes = [helper.make_node("Identity", ["a"], ["y"]), helper.make_node("Abs", ["y"], ["z"])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(rewrite(model, doubled), tmp_path / "after.onnx")
    given = host_outputs(tmp_path / "after.onnx", (np.array([-1.0, 2.0], np.float32),))
    assert [each.tolist() for each in given] == [[-1.0, 2.0], [1.0, 2.0]]


def test_what_nothing_uses_goes_and_the_original_stays(conv_model: Path) -> None:
    model = onnx.load(conv_model)
    model.graph.initializer.append(helper.make_tensor("idle", TensorProto.FLOAT, [1], [0.0]))
    model.graph.node.append(helper.make_node("Relu", ["c"], ["unread"]))
    after = rewrite(model)
    assert "idle" not in {each.name for each in after.graph.initializer}
    assert "unread" not in {name for node in after.graph.node for name in node.output}
    assert len(model.graph.node) == 7
