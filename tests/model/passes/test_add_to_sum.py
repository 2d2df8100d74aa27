from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.passes.add_to_sum import AddToSumPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.runtimes.ort import host_outputs, optimize_offline

NORM = [helper.make_node("LayerNormalization", ["s", "scale", "shift"], ["y"])]
WRITTEN = [
    helper.make_node("ReduceMean", ["s"], ["m"], axes=[-1]), helper.make_node("Sub", ["s", "m"], ["d"]),
    helper.make_node("Pow", ["d", "two"], ["p"]), helper.make_node("ReduceMean", ["p"], ["v"], axes=[-1]),
    helper.make_node("Add", ["v", "tiny"], ["e"]), helper.make_node("Sqrt", ["e"], ["r"]),
    helper.make_node("Div", ["d", "r"], ["n"]), helper.make_node("Mul", ["n", "scale"], ["t"]),
    helper.make_node("Add", ["t", "shift"], ["y"]),
]  # fmt: skip


@pytest.mark.parametrize("norm", [NORM, WRITTEN], ids=["one operator", "written out"])
def test_no_slow_kernel_takes_the_sum_in(norm: list[NodeProto], tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["x", "a"], ["s"]), *norm,
    ]  # fmt: skip
    random = np.random.default_rng(0)
    arrays = {
        "w": random.standard_normal((8, 8)), "scale": random.random(8), "shift": random.random(8),
        "two": np.array(2.0), "tiny": np.array(1e-5),
    }  # fmt: skip
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 5, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5, 8])],
        [numpy_helper.from_array(each.astype(np.float32), name) for name, each in arrays.items() if name in used],
    )
    model = with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))
    after = rewrite(model, AddToSumPass())
    assert [node.op_type for node in after.graph.node][1] == "Sum"
    kinds = {}
    x = (random.standard_normal((2, 5, 8)).astype(np.float32),)
    outputs = []
    for name, each in (("before", model), ("after", after)):
        onnx.save(each, tmp_path / f"{name}.onnx")
        optimize_offline(tmp_path / f"{name}.onnx", tmp_path / "fused.onnx", keep_int8_activations=False)
        kinds[name] = {node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node}
        outputs.append(host_outputs(tmp_path / "fused.onnx", x)[0])
    assert "SkipLayerNormalization" in kinds["before"], "what this is for"
    assert {"Sum", "LayerNormalization"} <= kinds["after"]
    assert np.allclose(*outputs, atol=1e-5)


def test_other_sums_stay(conv_model: Path) -> None:
    model = onnx.load(conv_model)
    model.graph.node.append(helper.make_node("Add", ["f", "f"], ["twice"]))
    model.graph.output.append(helper.make_tensor_value_info("twice", TensorProto.FLOAT, None))
    assert rewrite(model, AddToSumPass()) == rewrite(model)
