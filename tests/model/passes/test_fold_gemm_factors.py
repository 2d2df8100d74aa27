from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.fold_gemm_factors import FoldGemmFactorsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs

RANDOM = np.random.default_rng(0)


def gemm(bias: tuple[int, ...], constant: bool, **options: float) -> tuple[onnx.ModelProto, list[np.ndarray]]:
    """x (3, 6) times a weight plus a bias, both constants or both inputs, and what goes in."""
    shapes = {"w": (4, 6) if options.get("transB") else (6, 4), "b": bias}
    arrays = {name: np.asarray(RANDOM.standard_normal(shape), np.float32) for name, shape in shapes.items()}
    names = ["x"] if constant else ["x", *shapes]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes.get(name, (3, 6))) for name in names]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()] if constant else []
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], **options)],
        "g",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model, [RANDOM.standard_normal((3, 6)).astype(np.float32), *([] if constant else arrays.values())]


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("bias", [(4,), (1, 4), (1,), (), (3, 4), (3, 1)])
def test_factors_are_gone_and_outputs_stay(tmp_path: Path, bias: tuple[int, ...], constant: bool) -> None:
    for alpha, beta, turned in product((1.0, 0.5), (1.0, 2.0), (0, 1)):
        model, feeds = gemm(bias, constant, alpha=alpha, beta=beta, transB=turned)
        plain = rewrite(model, FoldGemmFactorsPass())
        onnx.checker.check_model(plain, full_check=True)
        for name, each in (("before", model), ("after", plain)):
            onnx.save(each, tmp_path / f"{name}.onnx")
        before, after = (host_outputs(tmp_path / f"{name}.onnx", feeds) for name in ("before", "after"))
        assert relative_difference(before, after) < 1e-5, (alpha, beta, turned)
        (node,) = [each for each in plain.graph.node if each.op_type == "Gemm"]
        assert not {each.name for each in node.attribute} & {"alpha", "beta"}
        if constant and bias in ((4,), (1, 4), (1,), ()):
            assert [each.op_type for each in plain.graph.node] == ["Gemm"]
            (vector,) = [each for each in plain.graph.initializer if each.name == node.input[2]]
            assert list(vector.dims) == [4]


def test_gemms_that_share_a_constant_keep_their_own_factors(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4])
    square = numpy_helper.from_array(RANDOM.standard_normal((4, 4)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"], alpha=0.5),
        helper.make_node("Gemm", ["h", "w"], ["y"], alpha=0.25),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [square])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "before.onnx")
    onnx.save(rewrite(model, FoldGemmFactorsPass()), tmp_path / "after.onnx")
    feeds = (RANDOM.standard_normal((3, 4)).astype(np.float32),)
    before, after = (host_outputs(tmp_path / f"{name}.onnx", feeds) for name in ("before", "after"))
    assert relative_difference(before, after) < 1e-5
