from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.passes.fuse_gelu import FuseGeluPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs

CONSTANTS = {"root": 2**0.5, "inverse": 0.5**0.5, "one": 1.0, "half": 0.5, "two": 2.0}


def written_out(*texts: str) -> list[NodeProto]:
    """Nodes from lines such as `y = Mul g half`."""
    words = [text.replace("=", " ").split() for text in texts]
    return [helper.make_node(kind, inputs, [output]) for output, kind, *inputs in words]


DIVIDED = ("d = Div x root", "e = Erf d", "f = Add e one")
MULTIPLIED = ("d = Mul inverse x", "e = Erf d", "f = Add e one")
FORMS = {
    "x, then 1/2": written_out(*DIVIDED, "g = Mul x f", "y = Mul g half"),
    "1/2, then x": written_out(*MULTIPLIED, "g = Mul f half", "y = Mul x g"),
    "x/2": written_out(*DIVIDED, "h = Mul half x", "y = Mul h f"),
}
OTHERS = {
    "no half": written_out(*DIVIDED, "y = Mul x f"),
    "twice": written_out(*DIVIDED, "g = Mul x f", "y = Mul g two"),
    "another root": written_out("d = Div x two", "e = Erf d", "f = Add e one", "g = Mul x f", "y = Mul g half"),
    "of something else": written_out(*DIVIDED, "n = Neg x", "g = Mul n f", "y = Mul g half"),
    "read twice": written_out(*DIVIDED, "g = Mul x f", "h = Mul g half", "y = Add h e"),
}


def model_of(nodes: list[NodeProto], opset: int = 20) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 50]) for name in ("x", "y")]
    used = {name for node in nodes for name in node.input}
    tensors = [
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in CONSTANTS.items() if name in used
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


@pytest.mark.parametrize("name", FORMS)
def test_a_gelu_written_out_becomes_one_and_outputs_stay(name: str, tmp_path: Path) -> None:
    model = model_of(FORMS[name])
    after = rewrite(model, FuseGeluPass())
    onnx.checker.check_model(after, full_check=True)
    assert [node.op_type for node in after.graph.node] == ["Gelu"]
    x = (np.linspace(-5, 5, 100, dtype=np.float32).reshape(2, 50),)
    outputs = []
    for each, path in ((model, tmp_path / "before.onnx"), (after, tmp_path / "after.onnx")):
        onnx.save(each, path)
        outputs.append(host_outputs(path, x, optimize=False))
    assert relative_difference(*outputs) < 1e-6


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none_stays(name: str) -> None:
    model = model_of(OTHERS[name])
    assert rewrite(model, FuseGeluPass()) == rewrite(model)


def test_an_opset_without_it_stays() -> None:
    model = model_of(FORMS["x/2"], 17)
    assert rewrite(model, FuseGeluPass()) == rewrite(model)
