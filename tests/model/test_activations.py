from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from edgekit.builds.result import Build
from edgekit.model.activations import activation_bytes
from edgekit.model.inspection import inspect_model
from edgekit.model.reading import load_model
from edgekit.model.shapes import for_one_sample

FLOAT = TensorProto.FLOAT


def most(nodes: Sequence[NodeProto], shape: Sequence[int | str] = (2, 5), kind: int = FLOAT) -> int | None:
    ports: list[ValueInfoProto] = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    table = numpy_helper.from_array(np.ones((2, 5), np.int8), "stored")
    scale = numpy_helper.from_array(np.float32(1.0), "scale")
    graph = helper.make_graph(list(nodes), "g", ports[:1], ports[1:], [table, scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return activation_bytes(for_one_sample(model))


def test_a_chain_holds_two_tensors_at_once() -> None:
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in ("xa", "ab", "by")]
    assert most(nodes) == 2 * 40


def test_what_is_added_later_is_held_meanwhile() -> None:
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in ("xa", "ab", "bc")]
    assert most([*nodes, helper.make_node("Add", ["x", "c"], ["y"])]) == 3 * 40


def test_integers_take_a_byte() -> None:
    assert most([helper.make_node("Abs", ["x"], ["y"])], kind=TensorProto.INT8) == 2 * 10


def test_what_hangs_on_no_input_is_no_activation() -> None:
    weight = helper.make_node("DequantizeLinear", ["stored", "scale"], ["w"])
    assert most([weight, helper.make_node("Add", ["x", "w"], ["y"])]) == 2 * 40


def test_what_is_not_known_is_none(in_steps: Path) -> None:
    assert inspect_model(in_steps).activation_bytes is None
    found = inspect_model(in_steps, {"steps": [7]}).activation_bytes
    assert found is not None and inspect_model(in_steps, {"steps": [14]}).activation_bytes == 2 * found


def test_a_branch_of_control_flow_is_not_known() -> None:
    inner = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])], "i", [], [helper.make_tensor_value_info("z", FLOAT, [2, 5])]
    )
    truth = helper.make_node("Constant", [], ["t"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True]))
    assert most([truth, helper.make_node("If", ["t"], ["y"], then_branch=inner, else_branch=inner)]) is None


def test_integers_need_less_than_floats(built: Build) -> None:
    runs = {run.name: run.artifact.path for run in built.targets[0].steps if run.role == "student"}
    plain, fused = (activation_bytes(for_one_sample(load_model(runs[name]))) for name in ("simplify", "fuse"))
    assert plain and fused and fused < plain
