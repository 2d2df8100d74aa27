from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.passes.integer_forms import IntegerFormsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs

RANDOM = np.random.default_rng(0)
CONSTANTS = {
    "gamma": RANDOM.standard_normal(4), "beta": RANDOM.standard_normal(4), "mean": RANDOM.standard_normal(4),
    "variance": RANDOM.uniform(0.5, 2.0, 4), "nought": np.array(0.0), "one": np.array(1.0),
    "slope": np.full((4, 1, 1), 0.2), "slopes": np.array([0.1, 0.2, 0.3, 0.4]).reshape(4, 1, 1),
}  # fmt: skip
NORM = ["x", "gamma", "beta", "mean", "variance"]


def pooled(**options: object) -> NodeProto:
    """A pool that rounds its shape up and counts padding."""
    common = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1}
    return helper.make_node("AveragePool", ["x"], ["y"], **common, **options)


def model_of(node: NodeProto, shape: list[object]) -> onnx.ModelProto:
    (x, y) = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, each) for name, each in (("x", shape), ("y", None))
    )
    tensors = [numpy_helper.from_array(CONSTANTS[name].astype(np.float32), name) for name in node.input if name != "x"]
    graph = helper.make_graph([node], "g", [x], [y], tensors)
    return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))


@pytest.mark.parametrize(
    ("node", "shape", "kinds"),
    [
        (helper.make_node("BatchNormalization", NORM, ["y"], epsilon=1e-3), ["n", 4, 5, 5], ["Conv"]),
        (helper.make_node("BatchNormalization", NORM, ["y"]), ["n", 4, 7], ["Conv"]),
        (pooled(pads=[1] * 4), ["n", 4, 8, 8], ["Pad", "AveragePool"]),
        (pooled(pads=[1, 0, 0, 1]), ["n", 4, 8, 7], ["Pad", "AveragePool"]),
        (pooled(), ["n", 4, 8, 8], ["AveragePool"]),
        (pooled(auto_pad="SAME_UPPER"), ["n", 4, 8, 8], ["AveragePool"]),
        (helper.make_node("Max", ["x", "nought"], ["y"]), ["n", 4, 5, 5], ["Relu"]),
        (helper.make_node("Max", ["nought", "x"], ["y"]), ["n", 4], ["Relu"]),
        (helper.make_node("PRelu", ["x", "slope"], ["y"]), ["n", 4, 5, 5], ["LeakyRelu"]),
        (helper.make_node("HardSwish", ["x"], ["y"]), ["n", 4, 5, 5], ["HardSigmoid", "Mul"]),
        (helper.make_node("BatchNormalization", NORM, ["y"]), ["n", 4], None),
        (helper.make_node("Max", ["x", "one"], ["y"]), ["n", 4], None),
        (helper.make_node("Max", ["x", "nought", "one"], ["y"]), ["n", 4], None),
        (helper.make_node("Max", ["x", "x"], ["y"]), ["n", 4], None),
        (helper.make_node("PRelu", ["x", "slopes"], ["y"]), ["n", 4, 5, 5], None),
    ],
    ids=lambda value: value.op_type if isinstance(value, NodeProto) else None,
)
def test_what_has_an_integer_form_takes_it_and_outputs_stay(
    node: NodeProto, shape: list[object], kinds: list[str] | None, tmp_path: Path
) -> None:
    model = model_of(node, shape)
    after = rewrite(model, IntegerFormsPass())
    onnx.checker.check_model(after, full_check=True)
    assert [each.op_type for each in after.graph.node] == (kinds or [node.op_type])
    x = (np.random.default_rng(0).standard_normal([3, *shape[1:]]).astype(np.float32) * 3,)
    outputs = []
    for name, each in (("before", model), ("after", after)):
        onnx.save(each, tmp_path / f"{name}.onnx")
        outputs.append(host_outputs(tmp_path / f"{name}.onnx", x, optimize=False))
    assert relative_difference(*outputs) < 1e-6
