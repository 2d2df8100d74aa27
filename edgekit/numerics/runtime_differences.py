"""Operators of a quantized file that ONNX Runtime computes differently once it has fused them, as a device's session
does when it loads the file."""

from collections.abc import Sequence
from pathlib import Path

from onnx import ModelProto

from edgekit.arrays import Array
from edgekit.model.facts import activation_types
from edgekit.model.reading import load_model
from edgekit.numerics.layerwise import layer_lsb_errors
from edgekit.runtimes.ort import optimize_offline
from edgekit.scratch import temporary_folder

ROUNDING_LSB = 1
"""Integer kernels round once where the graph as written rounds in float, so that ties may differ."""


def runtime_differences(path: Path, inputs: Sequence[Array]) -> dict[str, str]:
    """The nodes of a QDQ file whose 8-bit outputs differ by more than one LSB after fusion, given the same 8-bit
    inputs, and by how much. `inputs` has one array per model input, batch axis first."""
    model = load_model(path)
    with temporary_folder() as folder:
        fused = folder / "fused.onnx"
        optimize_offline(path, fused, keep_int8_activations="int8" in activation_types(model))
        errors = layer_lsb_errors(path, fused, inputs)
        kinds = {name: node.op_type for node in load_model(fused).graph.node for name in node.output}
    nodes = _quantized_nodes(model)
    return {
        nodes[name]: f"fused into {kinds[name]}, it differs by {error:g} LSB in the runtime"
        for name, error in errors.items()
        if error > ROUNDING_LSB and name in nodes
    }


def _quantized_nodes(model: ModelProto) -> dict[str, str]:
    """By 8-bit tensor, the node whose output is rounded to it."""
    makers = {name: node for node in model.graph.node for name in node.output}
    found = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in makers:
            found[node.output[0]] = makers[node.input[0]].name
    return found
