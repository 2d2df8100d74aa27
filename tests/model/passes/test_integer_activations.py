from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.passes.integer_activations import IntegerActivationsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.runtimes.ort import host_outputs, optimize_offline

RANGE = 8.0


def quantized(nodes: list[NodeProto], kind: type[np.integer]) -> onnx.ModelProto:
    """x from -8 to 8, quantized, through nodes from d to m, quantized again, to y."""
    limits = np.iinfo(kind)
    whole = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        *nodes,
        helper.make_node("QuantizeLinear", ["m", "t", "u"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "t", "u"], ["y"]),
    ]
    arrays = {
        "s": np.array(2 * RANGE / 255, np.float32), "z": np.array((limits.max + limits.min + 1) // 2, kind),
        "t": np.array(2 / 255, np.float32), "u": np.array((limits.max + limits.min + 1) // 2, kind),
    }  # fmt: skip
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 256]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(whole, "g", ports[:1], ports[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def outputs(model: onnx.ModelProto, path: Path) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return host_outputs(path, (np.linspace(-RANGE, RANGE, 256, dtype=np.float32)[None],), optimize=False)[0]


NODES = {
    "HardSigmoid": helper.make_node("HardSigmoid", ["d"], ["m"], name="gate"),
    "HardSwish's": helper.make_node("HardSigmoid", ["d"], ["m"], name="gate", alpha=1 / 6, beta=0.5),
    "Tanh": helper.make_node("Tanh", ["d"], ["m"], name="gate"),
}


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("name", NODES)
def test_the_runtime_computes_them_on_integers(name: str, kind: type[np.integer], tmp_path: Path) -> None:
    model = quantized([NODES[name]], kind)
    after = rewrite(model, IntegerActivationsPass())
    step = 1 / 255 if name != "Tanh" else 2 / 256
    apart = np.abs(outputs(after, tmp_path / "after.onnx") - outputs(model, tmp_path / "before.onnx")).max()
    assert apart <= 0.501 * (2 / 255 + 2 * step), "each rounds to half a step, the sum before it, too"
    optimize_offline(tmp_path / "after.onnx", tmp_path / "fused.onnx", keep_int8_activations=True)
    fused = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert fused == ["QuantizeLinear", "QLinearSigmoid" if name == "Tanh" else "QLinearAdd", "DequantizeLinear"]


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("HardSigmoid", ["d"], ["m"], name="gate", alpha=-1.0)],
        [helper.make_node("HardSigmoid", ["d"], ["m"], name="gate", beta=0.0)],
        [helper.make_node("Abs", ["d"], ["a"]), helper.make_node("Tanh", ["a"], ["m"])],
        [helper.make_node("Tanh", ["d"], ["a"]), helper.make_node("Abs", ["a"], ["m"])],
        [helper.make_node("Abs", ["d"], ["m"])],
    ],
    ids=["falling", "from nought", "of floats", "to floats", "another"],
)
def test_others_stay(nodes: list[NodeProto]) -> None:
    model = quantized(nodes, np.int8)
    assert rewrite(model, IntegerActivationsPass()) == rewrite(model)
