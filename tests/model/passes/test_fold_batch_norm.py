from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.fold_batch_norm import FoldBatchNormPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs


@pytest.mark.parametrize(
    ("op", "input_shape", "weight_shape"),
    [
        ("Conv", ("batch", 4, 6, 6), (6, 2, 3, 3)),
        ("ConvTranspose", ("batch", 4, 6, 6), (4, 3, 3, 3)),
        ("Gemm", ("batch", 4), (4, 6)),
    ],
)
def test_norms_go_into_what_they_follow_and_outputs_stay(
    tmp_path: Path, op: str, input_shape: tuple[object, ...], weight_shape: tuple[int, ...]
) -> None:
    random = np.random.default_rng(0)
    arrays = {"w": random.standard_normal(weight_shape), "b": random.standard_normal(6)}
    arrays |= {name: random.standard_normal(6) for name in ("gamma", "beta", "mean")}
    arrays["variance"] = random.uniform(0.5, 2.0, 6)
    nodes = [
        helper.make_node(op, ["x", "w", "b"], ["c"], **({} if op == "Gemm" else {"group": 2})),
        helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "before.onnx")
    folded = rewrite(with_shapes(model), FoldBatchNormPass())
    onnx.save(folded, tmp_path / "after.onnx")
    assert [node.op_type for node in folded.graph.node] == [op]
    x = (random.standard_normal((3, *input_shape[1:])).astype(np.float32),)
    before, after = host_outputs(tmp_path / "before.onnx", x), host_outputs(tmp_path / "after.onnx", x)
    assert relative_difference(before, after) < 1e-5
