"""Layer-wise comparison of a rewritten file with its source: each source operator is given the rewritten file's inputs.

An error is then attributed to the layer that causes it, not to the layers after it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper

from edgekit.arrays import Array
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model, save_model
from edgekit.model.shapes import with_shapes
from edgekit.model.split_graph import GIVEN, split_at
from edgekit.model.unsigned import SHIFT, to_unsigned
from edgekit.numerics.compare import signal_to_noise
from edgekit.runtimes.ort import inner_tensors, session, session_outputs
from edgekit.scratch import temporary_folder


def layer_sqnr(source: Path, rewritten: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """SQNR in dB of each float tensor that both files have, in the graph's order: the source operator's output for the
    rewritten file's inputs before rounding, against the value that the rewritten file passes on. The error from
    rounding an operator's inputs is included. `inputs` has one array per model input, batch axis first."""
    tensors = inner_tensors(rewritten, inputs)
    floats = {name: array for name, array in tensors.items() if array.dtype.kind == "f"}
    model = load_model(rewritten)
    passed = _input_values(model, floats)
    made = _outputs_of(load_model(source), inputs, _clip_to_ranges(model, floats))
    return {name: signal_to_noise(array, _where_finite(array, passed[name])) for name, array in made.items()}


def layer_lsb_errors(source: Path, fused: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """The largest error in LSB of each 8-bit tensor that both files have: the source operator's output for the fused
    file's inputs, against the fused file's output. Infinite where shapes differ.

    Both run with unsigned weights, so that saturating kernels of this machine do not count against the fused file.
    """
    with temporary_folder() as folder:
        exact = folder / "exact.onnx"
        save_model(to_unsigned(load_model(fused)), exact)
        tensors = inner_tensors(exact, inputs)
    return lsb_errors(source, inputs, {name: array for name, array in tensors.items() if array.dtype.kind in "iu"})


def lsb_errors(source: Path, inputs: Sequence[Array], integers: Mapping[str, Array]) -> dict[str, float]:
    """The largest difference in LSB by tensor, for 8-bit tensors of the model's shapes that another runtime computed
    from the inputs. Signed tensors count like unsigned ones that are 128 larger."""
    made = _outputs_of(to_unsigned(load_model(source)), inputs, integers)
    return {name: _lsb_error(array, _in_type(integers[name], array.dtype)) for name, array in made.items()}


def _where_finite(made: Array, passed: Array) -> Array:
    """The passed value, except where the source operator's output is not finite for the same inputs: that error was
    made earlier."""
    return np.where(np.isfinite(made), passed, made) if made.shape == passed.shape else passed


def _in_type(array: Array, dtype: np.dtype[Any] | None) -> Array:
    """An 8-bit tensor in another 8-bit type, shifted with its zero point: a copy of a model may stay signed where
    another is unsigned. Other tensors are returned as they are."""
    if dtype is None or array.dtype == dtype or {array.dtype, dtype} != {np.dtype(np.int8), np.dtype(np.uint8)}:
        return array
    return (array.astype(np.int16) + (SHIFT if dtype == np.uint8 else -SHIFT)).astype(dtype)


def _lsb_error(made: Array, passed: Array) -> float:
    if made.shape != passed.shape:
        return float("inf")
    return float(np.abs(made.astype(np.int16) - passed.astype(np.int16)).max(initial=0))


def _outputs_of(model: ModelProto, inputs: Sequence[Array], given: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of a model's operators for given inputs, for the tensors of `given` that it has, in the graph's
    order."""
    ports = [each.name for each in inputs_of(model.graph)]
    common = [name for node in model.graph.node for name in node.output if name in given]
    with temporary_folder() as folder:
        path = folder / "cut.onnx"
        save_model(split_at(with_shapes(model), set(common)), path)
        running = session(path, optimize=False)
        whole = dict(zip(ports, inputs, strict=True))
        fed = {**whole, **given, **{f"{name}{GIVEN}": given[name] for name in common}}
        types = {"tensor(int8)": np.dtype(np.int8), "tensor(uint8)": np.dtype(np.uint8)}
        given_inputs = [_in_type(fed[each.name], types.get(each.type)) for each in running.get_inputs()]
        outputs = session_outputs(running, given_inputs)
        made = dict(zip((each.name for each in running.get_outputs()), outputs, strict=True))
    return {name: array for name, array in {**whole, **made}.items() if name in given}


def _clip_to_ranges(model: ModelProto, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors clipped to their quantized ranges: a range that starts at 0 replaces a removed ReLU."""
    constants: dict[str, Array] = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    found = dict(tensors)
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] not in found:
            continue
        scale, zero = (constants.get(each) for each in node.input[1:3])
        if scale is not None and zero is not None and scale.size == 1:
            limits = np.iinfo(zero.dtype)
            low, high = ((limit - zero.astype(np.float32)) * scale for limit in (limits.min, limits.max))
            found[node.input[0]] = np.clip(found[node.input[0]], low, high)
    return found


def _input_values(model: ModelProto, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The value that readers get of each tensor: after QuantizeLinear and DequantizeLinear, if it passes through
    them."""
    quantized = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    back = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {name: tensors.get(back.get(quantized.get(name, ""), ""), array) for name, array in tensors.items()}
