"""Where a rewritten file parts from the file that it came from: each operator of the source given what it really got.

A fault in one place so shows there alone, not in everything behind it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnx import ModelProto, numpy_helper

from edgekit.arrays import Array
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model, save_model
from edgekit.model.shapes import with_shapes
from edgekit.model.split_graph import GIVEN, split_at
from edgekit.model.unsigned import to_unsigned
from edgekit.numerics.compare import signal_to_noise
from edgekit.runtimes.ort import inner_tensors, session, session_outputs


def layer_sqnr(source: Path, rewritten: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """The signal-to-noise in decibels of each float tensor that both files have, from the inputs on: what the source's
    operators make of the values that the rewritten file has before it rounds them, against what that passes on. So it
    takes in what rounding an operator's inputs does to it."""
    tensors = inner_tensors(rewritten, inputs)
    floats = {name: array for name, array in tensors.items() if array.dtype.kind == "f"}
    model = load_model(rewritten)
    passed = _values_read(model, floats)
    made = _outputs_of(load_model(source), inputs, _clip_to_ranges(model, floats))
    return {name: signal_to_noise(array, _where_finite(array, passed[name])) for name, array in made.items()}


def layer_lsb_errors(source: Path, fused: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """How many integer steps each 8-bit tensor that both files have lies off, at most: what the source's operators make
    of the values that the fused file gave them, against what the fused file makes. Infinite where shapes differ.

    Both are taken unsigned: where this machine's kernels saturate, that is no fault of the fused file.
    """
    with TemporaryDirectory() as folder:
        exact = Path(folder) / "exact.onnx"
        save_model(to_unsigned(load_model(fused)), exact)
        tensors = inner_tensors(exact, inputs)
    return lsb_errors(source, inputs, {name: array for name, array in tensors.items() if array.dtype.kind in "iu"})


def lsb_errors(source: Path, inputs: Sequence[Array], integers: Mapping[str, Array]) -> dict[str, float]:
    """The same of 8-bit tensors, unsigned, that something else made of the inputs."""
    made = _outputs_of(to_unsigned(load_model(source)), inputs, integers)
    return {name: _lsb_error(array, integers[name]) for name, array in made.items()}


def _where_finite(made: Array, passed: Array) -> Array:
    """What is passed on, but where the source's operator would give nothing finite of the same values: that is the
    fault of what came before."""
    return np.where(np.isfinite(made), passed, made) if made.shape == passed.shape else passed


def _lsb_error(made: Array, passed: Array) -> float:
    if made.shape != passed.shape:
        return float("inf")
    return float(np.abs(made.astype(np.int16) - passed.astype(np.int16)).max(initial=0))


def _outputs_of(model: ModelProto, inputs: Sequence[Array], given: Mapping[str, Array]) -> dict[str, Array]:
    """What a model's operators make of given values, for the tensors of `given` that it has, in its order."""
    ports = [each.name for each in inputs_of(model.graph)]
    common = [name for node in model.graph.node for name in node.output if name in given]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cut.onnx"
        save_model(split_at(with_shapes(model), set(common)), path)
        running = session(path, optimize=False)
        whole = dict(zip(ports, inputs, strict=True))
        fed = {**whole, **given, **{f"{name}{GIVEN}": given[name] for name in common}}
        outputs = session_outputs(running, [fed[each.name] for each in running.get_inputs()])
        made = dict(zip((each.name for each in running.get_outputs()), outputs, strict=True))
    return {name: array for name, array in {**whole, **made}.items() if name in given}


def _clip_to_ranges(model: ModelProto, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors clipped to the integers that they become: a grid that ends at 0 stands for a ReLU that is gone."""
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


def _values_read(model: ModelProto, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """What readers get of each tensor: where it goes through QuantizeLinear and DequantizeLinear, what comes out."""
    quantized = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    back = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {name: tensors.get(back.get(quantized.get(name, ""), ""), array) for name, array in tensors.items()}
