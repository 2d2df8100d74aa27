"""A model of a few bytes that needs 256 MB when it runs."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgekit.runners.runner import Job


def large_job(folder: Path) -> Job:
    """A run of it."""
    graph = helper.make_graph(
        [
            helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
            helper.make_node("Add", ["zeros", "x"], ["sum"]),
            helper.make_node("ReduceMean", ["sum"], ["y"], keepdims=0),
        ],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        [helper.make_tensor("shape", TensorProto.INT64, [1], [64_000_000])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "m.onnx")
    return Job([folder / "m.onnx"], (np.ones((1, 1), np.float32),))
