"""Where a rewritten file parts from the file that it came from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edgekit.arrays import Array
from edgekit.model.cuts import GIVEN, cut
from edgekit.model.parity import signal_to_noise
from edgekit.model.reading import load_model, save_model
from edgekit.model.shapes import with_shapes
from edgekit.runtimes.ort import float_tensors, session, session_outputs


def local_noise(source: Path, rewritten: Path, inputs: Sequence[Array]) -> dict[str, float]:
    """The signal-to-noise in decibels of each float tensor that both files have, from the inputs on: what the source's
    operators make of the values that the rewritten file really gave them, against what the rewritten file passes on.

    A fault in one place so shows there alone, not in everything behind it.
    """
    model = load_model(source)
    passed = _passed_on(rewritten, float_tensors(rewritten, inputs))
    ports = {each.name for each in model.graph.input}
    common = [name for node in model.graph.node for name in node.output if name in passed and name not in ports]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cut.onnx"
        save_model(cut(with_shapes(model), set(common)), path)
        running = session(path, optimize=False)
        given = dict(zip((each.name for each in model.graph.input), inputs, strict=False))
        fed = {**given, **passed, **{f"{name}{GIVEN}": passed[name] for name in common}}
        names = [each.name for each in running.get_inputs()]
        outputs = session_outputs(running, [fed[name] for name in names])
        made = dict(zip((each.name for each in running.get_outputs()), outputs, strict=True))
    return {name: signal_to_noise(array, passed[name]) for name, array in {**given, **made}.items() if name in passed}


def _passed_on(path: Path, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """What readers get of each tensor: where it goes through QuantizeLinear and DequantizeLinear, what comes out."""
    model = load_model(path)
    quantized = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    back = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return {name: tensors.get(back.get(quantized.get(name, ""), ""), array) for name, array in tensors.items()}
