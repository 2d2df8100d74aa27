from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgekit.model import passes
from edgekit.model.passes.gemm_to_matmul import GemmToMatMulPass
from edgekit.model.passes.name_nodes import NameNodesPass
from edgekit.model.passes.rewriting import GraphPass, replace, rewrite
from edgekit.model.passes.slim_graph import SlimGraphPass
from edgekit.runtimes.ort import host_outputs
from tests.model.test_operators import branching


class NegateTwice(GraphPass):
    """Replace Identity by two negations, in any graph."""

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            if node.op_type == "Identity":
                once = ir.node("Neg", node.inputs)
                once.outputs[0].name = "x"
                replace(model, node, [once, ir.node("Neg", once.outputs)])


def test_a_replacement_inside_a_branch_keeps_its_output() -> None:
    model = rewrite(branching(), NegateTwice())
    onnx.checker.check_model(model)
    other = next(each.g for each in model.graph.node[0].attribute if each.name == "else_branch")
    assert [node.op_type for node in other.node] == ["Neg", "Neg"]
    assert other.output[0].name == "same" == other.node[-1].output[0]


def test_a_graph_output_that_is_replaced_keeps_its_name_and_its_readers(tmp_path: Path) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("a", "y", "z")]
    nodes = [helper.make_node("Identity", ["a"], ["y"]), helper.make_node("Abs", ["y"], ["z"])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(rewrite(model, NegateTwice()), tmp_path / "after.onnx")
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


def every_pass() -> list[GraphPass]:
    for found in iter_modules(passes.__path__):
        import_module(f"{passes.__name__}.{found.name}")
    given: dict[str, tuple[Any, ...]] = {
        "DequantizeOperatorsPass": (["none"],),
        "DynamicProductsPass": (False,),
        "NamePortsPass": (["x"], ["y"]),
        "SmoothPass": ({}, 0.5),
    }
    return [
        kind(*given.get(kind.__name__, ()))
        for kind in GraphPass.__subclasses__()
        if kind.__module__.startswith(passes.__name__)
    ]


def test_a_pass_reports_whether_it_modified_the_model() -> None:
    assert len(every_pass()) >= 19
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="relu")]
    ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3])] for name in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "g", *ports), opset_imports=[helper.make_opsetid("", 20)])
    for each in every_pass():
        inside = ir.from_proto(model)
        result = each(inside)
        assert result.model is inside and each.in_place
        changes = ir.to_proto(inside).SerializeToString() != ir.to_proto(ir.from_proto(model)).SerializeToString()
        assert result.modified == changes == isinstance(each, SlimGraphPass), each
        assert not each(inside).modified, f"{each} changes its own result"


def test_onnx_irs_sequential_takes_the_passes(conv_model: Path) -> None:
    inside = ir.from_proto(onnx.load(conv_model))
    sequence = ir.passes.Sequential(GemmToMatMulPass(), NameNodesPass(), RemoveUnusedNodesPass())
    assert sequence(inside).modified and not sequence(inside).modified
    assert {node.op_type for node in inside.graph} >= {"MatMul", "Add"} and "Gemm" not in {
        n.op_type for n in inside.graph
    }


def test_a_changed_constant_or_attribute_is_a_modification() -> None:
    class Doubling(GraphPass):
        def apply(self, model: ir.Model) -> None:
            for value in model.graph.initializers.values():
                assert value.const_value is not None
                value.const_value = ir.tensor(value.const_value.numpy() * 2, name=value.name)

    class Turning(GraphPass):
        def apply(self, model: ir.Model) -> None:
            for node in model.graph:
                node.attributes["axis"] = ir.AttrInt64("axis", 1)

    nodes = [helper.make_node("Mul", ["x", "c"], ["m"]), helper.make_node("Softmax", ["m"], ["y"], axis=0)]
    ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3])] for name in ("x", "y")]
    constants = [numpy_helper.from_array(np.ones(3, np.float32), "c")]
    model = helper.make_model(helper.make_graph(nodes, "g", *ports, constants))
    assert Doubling()(ir.from_proto(model)).modified and Turning()(ir.from_proto(model)).modified
