"""ONNX Runtime on this machine."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.device.worker import as_array, stack_feeds
from edgekit.errors import ModelError, all_lines, first_line
from edgekit.runtime_specs import NO_KERNEL
from edgekit.scratch import temporary_folder

# ONNX Runtime ships with telemetry. A tool for other people's models disables it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def session(path: Path, *, threads: int = 0, optimize: bool = True, exact: bool = False) -> Any:
    """An InferenceSession on the CPU. `threads` 0 uses all cores. With `exact`, no sum of 8-bit products saturates,
    whatever this machine's kernels do. Raises ModelError for a file that cannot be loaded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        with temporary_folder() as folder:
            source = exact_copy(path, folder) if exact else path
            return onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common base class
        remedy = NO_KERNEL if "NOT_IMPLEMENTED" in first_line(error) else "inspect the model: edgekit inspect"
        # The file may be a step's own, whose name tells a user nothing.
        raise ModelError(f"ONNX Runtime cannot load the model: {all_lines(error)}", remedy) from error


def exact_copy(path: Path, folder: Path) -> Path:
    """A file below `folder` that computes the same without saturation; the file itself if nothing saturates here.

    The runtime's option for this, session.x64quantprecision, fails if two operators share a weight.
    """
    if not saturates():
        return path
    import onnx

    from edgekit.model.operators import graphs
    from edgekit.model.unsigned import to_unsigned

    model = onnx.load(path)
    stored = (tensor.data_type for graph in graphs(model.graph) for tensor in graph.initializer)
    if onnx.TensorProto.INT8 not in stored:
        return path
    onnx.save(to_unsigned(model), folder / path.name)
    return folder / path.name


def session_outputs(running: Any, inputs: Sequence[Array]) -> Outputs[Array]:
    """The outputs of one run; `inputs` are in the model's order and have its shapes. Raises ModelError if they do
    not."""
    names = [each.name for each in running.get_inputs()]
    if len(names) != len(inputs):
        raise ModelError(f"the model takes {len(names)} inputs, but the data has {len(inputs)}", "make both agree")
    try:
        given = [as_array(np, each) for each in running.run(None, dict(zip(names, inputs, strict=True)))]
    except Exception as error:
        raise ModelError(
            f"the model does not take these inputs: {all_lines(error)}", "check its shapes and types: edgekit inspect"
        ) from error
    return Outputs(given, [each.name for each in running.get_outputs()])


def host_outputs(path: Path, inputs: Sequence[Array], *, optimize: bool = True) -> Outputs[Array]:
    """The outputs of a model file for one batch on this machine, with or without the runtime's optimization. No sum of
    8-bit products saturates. `inputs` has one array per model input, batch axis first."""
    return session_outputs(session(path, optimize=optimize, exact=True), inputs)


def feed_outputs(path: Path, feeds: Arrays, *, optimize: bool = True) -> Arrays:
    """The outputs of a model file for feeds, arrays with axes (feeds, ...), run one by one; otherwise as
    `host_outputs`."""
    return session_feed_outputs(session(path, optimize=optimize, exact=True), feeds)


def session_feed_outputs(running: Any, feeds: Arrays) -> Arrays:
    """The outputs of a session for feeds, arrays with axes (feeds, ...), run one by one."""
    runs = [session_outputs(running, [each[number, ...] for each in feeds]) for number in range(len(feeds[0]))]
    return tuple(stack_feeds(np, each) for each in zip(*runs, strict=True))


def inner_tensors(path: Path, inputs: Sequence[Array]) -> dict[str, Array]:
    """The float and 8-bit tensors of a model file for one batch, by name: its inputs, and each operator's output
    without the runtime's optimization. Raises ModelError if the model cannot run."""
    return outputs_and_tensors(path, inputs)[1]


def outputs_and_tensors(path: Path, inputs: Sequence[Array]) -> tuple[Arrays, dict[str, Array]]:
    """The outputs of a model file for one batch without optimization, with this machine's saturation, and the
    `inner_tensors` of the same run."""
    from edgekit.model.reading import load_model, save_model
    from edgekit.model.split_graph import expose_tensors

    with temporary_folder() as folder:
        whole = folder / "exposed.onnx"
        model = load_model(path)
        save_model(expose_tensors(model), whole)
        running = session(whole, optimize=False)
        given = dict(zip((each.name for each in running.get_inputs()), inputs, strict=True))
        found = dict(zip((each.name for each in running.get_outputs()), session_outputs(running, inputs), strict=True))
    return tuple(found[port.name] for port in model.graph.output), {
        name: array
        for name, array in {**given, **found}.items()
        if array.dtype.kind == "f" or array.dtype in (np.int8, np.uint8)
    }


@cache
def saturates() -> bool:
    """Whether products of unsigned activations and signed weights saturate at 16 bits on this machine, as on AVX2
    without VNNI: 8-bit models then have other outputs here than elsewhere."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    a = np.full((1, 64), 255, np.uint8)
    b = np.full((64, 16), 127, np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, a.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, None)],
        [numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    running = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = running.run(None, {"a": a})
    return bool((np.asarray(y) != a.astype(np.int32) @ b.astype(np.int32)).any())


def optimize_offline(source: Path, path: Path, *, keep_int8_activations: bool, layouts: bool = False) -> None:
    """Write `source` as ONNX Runtime optimizes it when loading. `layouts` allows layouts that tie the file to this CPU.

    On x86 the optimizer converts int8 activations to uint8, which ARM's kernels do not support, unless they are kept.
    Raises ModelError for a file that cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if layouts else levels.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path)
    if keep_int8_activations:
        options.add_session_config_entry("session.qdqisint8allowed", "1")
    try:
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"ONNX Runtime cannot optimize {source.name}: {first_line(error)}", "inspect it: edgekit inspect"
        ) from error
