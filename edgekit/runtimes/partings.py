"""Where a rewritten file parts from the file that it came from: each operator of the source given what it really got.

A fault in one place so shows there alone, not in everything behind it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnx import ModelProto

from edgekit.arrays import Array
from edgekit.model.cuts import GIVEN, cut
from edgekit.model.parity import signal_to_noise
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model, save_model
from edgekit.model.shapes import with_shapes
from edgekit.model.unsigned import unsigned
from edgekit.runtimes.ort import inner_tensors, session, session_outputs


def local_noise(source: Path, rewritten: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """The signal-to-noise in decibels of each float tensor that both files have, from the inputs on: what the source's
    operators make of the values that the rewritten file gave them, against what the rewritten file passes on."""
    passed = _passed_on(rewritten, inner_tensors(rewritten, inputs))
    floats = {name: array for name, array in passed.items() if array.dtype.kind == "f"}
    pairs = _made_and_passed(load_model(source), inputs, floats)
    return {name: signal_to_noise(*pair) for name, pair in pairs.items()}


def local_steps(source: Path, fused: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """How many integer steps each 8-bit tensor that both files have lies off, at most: what the source's operators make
    of the values that the fused file gave them, against what the fused file makes. Infinite where shapes differ.

    Both are taken unsigned: where this machine's kernels saturate, that is no fault of the fused file.
    """
    with TemporaryDirectory() as folder:
        exact = Path(folder) / "exact.onnx"
        save_model(unsigned(load_model(fused)), exact)
        tensors = inner_tensors(exact, inputs)
    integers = {name: array for name, array in tensors.items() if array.dtype.kind in "iu"}
    pairs = _made_and_passed(unsigned(load_model(source)), inputs, integers)
    return {name: _steps(*pair) for name, pair in pairs.items()}


def _steps(made: Array, passed: Array) -> float:
    if made.shape != passed.shape:
        return float("inf")
    return float(np.abs(made.astype(np.int16) - passed.astype(np.int16)).max(initial=0))


def _made_and_passed(
    model: ModelProto, inputs: Sequence[Array], passed: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """For the tensors of `passed` that a model has, too, in its order: what its operators make of what was passed to
    them, and what is passed on."""
    ports = [each.name for each in inputs_of(model.graph)]
    common = [name for node in model.graph.node for name in node.output if name in passed]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cut.onnx"
        save_model(cut(with_shapes(model), set(common)), path)
        running = session(path, optimize=False)
        given = dict(zip(ports, inputs, strict=True))
        fed = {**given, **passed, **{f"{name}{GIVEN}": passed[name] for name in common}}
        outputs = session_outputs(running, [fed[each.name] for each in running.get_inputs()])
        made = dict(zip((each.name for each in running.get_outputs()), outputs, strict=True))
    return {name: (array, passed[name]) for name, array in {**given, **made}.items() if name in passed}


def _passed_on(path: Path, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """What readers get of each tensor: where it goes through QuantizeLinear and DequantizeLinear, what comes out."""
    model = load_model(path)
    quantized = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    back = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {name: tensors.get(back.get(quantized.get(name, ""), ""), array) for name, array in tensors.items()}
