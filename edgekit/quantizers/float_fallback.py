"""Which operators of a quantized model fall back to float, by what the quantized file loses.

The quantized file is compared with its float source: at the outputs by SQNR and by lost parts and, if an output is
suspicious, layer by layer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from edgekit.arrays import Array
from edgekit.errors import StepError
from edgekit.model.reading import load_model
from edgekit.numerics.clipping import lost_clipping
from edgekit.numerics.compare import LostParts, lost_parts, signal_to_noise
from edgekit.numerics.layerwise import layer_sqnr
from edgekit.numerics.lost_levels import nodes_behind, nodes_beside
from edgekit.numerics.runtime_differences import runtime_differences
from edgekit.runtimes.ort import host_outputs

_SUSPICIOUS_DB = 20.0
"""At an output. INT8 keeps more on ordinary networks; below this, the error is located layer by layer."""
_DEFECT_DB = 10.0
"""At a tensor, given the quantized model's own inputs. An 8-bit range falls below 10 dB only if it spans more than 140
standard deviations; anything lower indicates a defect, or a tensor that 8 bits do not suit."""
_NOISY_DB = (15.0, _SUSPICIOUS_DB)
"""At a tensor: if an output is suspicious and no tensor is below the defect limit, nodes around tensors below these
limits fall back to float, the lowest limit first."""
_FEWER_LOST, _GAIN_DB = 0.9, 1.0
"""What float fallback must gain to be kept: lost parts as a share of those before, or dB at a suspicious output."""


@dataclass(frozen=True)
class QuantizationLoss:
    """What a quantized file loses against its float source, which runs as it is written. Kernels that saturate on this
    machine do not count against the file."""

    outputs: dict[str, float | None]
    """SQNR of each float output in dB, as a session with the runtime's optimizations computes it; None if nothing
    differs."""
    as_written: dict[str, float | None]
    """The same without optimizations."""
    lost_parts: dict[str, LostParts]
    """By output."""
    defects: dict[str, str]
    """Tensors below the defect limit in the graph's order, and the operators that produce them."""
    required: dict[str, str]
    """Nodes that must stay float, and why: the integer range does not clip as they do, or the runtime computes them
    differently than the file says."""
    producers: dict[str, tuple[str, ...]]
    """The nodes before each of them. The runtime may quantize a node that is float in the file, because the values
    before and after it are quantized: then these must stay float as well."""
    remedies: tuple[dict[str, str], ...]
    """Nodes that should fall back to float and why; the next group is used if the first does not help."""
    defect_nodes: frozenset[str]
    """The nodes around the defects."""

    def next_fallback(self, kept: Collection[str]) -> dict[str, str]:
        """The nodes that should fall back to float in addition to those `kept` in float; empty if no further fallback
        would help."""
        if required := self.required_fallback(kept):
            return required
        if self.defects and self.defect_nodes <= set(kept):
            return {}
        return _first_of(self.remedies, kept)

    def required_fallback(self, kept: Collection[str]) -> dict[str, str]:
        """Those of them that must fall back, whatever it gains."""
        before = {
            name: f"'{each}' after it would be quantized by the runtime"
            for each in sorted(self.required.keys() & set(kept))
            for name in self.producers.get(each, ())
        }
        return _first_of((self.required, before), kept)

    def is_better_than(self, other: "QuantizationLoss") -> bool:
        """Whether this file loses noticeably less."""
        return (
            len(self.defects) < len(other.defects)
            or self._lost_count() < _FEWER_LOST * other._lost_count()
            or any(
                _shortfall(noise) > _shortfall(self.outputs[name]) + _GAIN_DB for name, noise in other.outputs.items()
            )
        )

    def _lost_count(self) -> int:
        return sum(each.count for each in self.lost_parts.values())

    def check(self) -> None:
        """Raises StepError if a defect is left."""
        if self.defects:
            name, what = next(iter(self.defects.items()))
            raise StepError(
                f"quantizing gives wrong values at '{name}': {what}",
                "remove quantize from the recipe, or report the model: 8-bit rounding does not explain this difference",
            )


def measure_loss(source: Path, path: Path, inputs: Sequence[Array], expected: Sequence[Array]) -> QuantizationLoss:
    """Compare the quantized file at `path` with the float file `source` on `inputs`, one array per model input with
    the batch axis first. `expected` holds the source's outputs for them, computed without optimizations."""
    model, quantized = load_model(source), load_model(path)
    actual = host_outputs(path, inputs)
    outputs = _noises(model, expected, actual)
    as_written = _noises(model, expected, host_outputs(path, inputs, optimize=False))
    parts: dict[str, LostParts] = {}
    for port, left, right in zip(model.graph.output, expected, actual, strict=True):
        if left.dtype.kind == "f" and (lost := lost_parts(left, right)):
            parts[port.name] = lost
    is_suspicious = any(noise is not None and noise < _SUSPICIOUS_DB for noise in outputs.values())
    noises = layer_sqnr(source, path, inputs) if parts or is_suspicious else {}
    defects = _below(_DEFECT_DB, noises, model)
    around_defects = _nodes_around(model, quantized, defects)
    remedies = [
        nodes_beside(model, {name: f"parts lost: {lost}" for name, lost in parts.items()}),
        around_defects,
    ]
    if is_suspicious:
        remedies += [_nodes_around(model, quantized, _below(limit, noises, model)) for limit in _NOISY_DB]
    required = {**lost_clipping(model, quantized), **runtime_differences(path, inputs)}
    makers = {name: node.name for node in model.graph.node for name in node.output}
    producers = {
        node.name: tuple(makers[name] for name in node.input if name in makers)
        for node in model.graph.node
        if node.name in required
    }
    return QuantizationLoss(
        outputs, as_written, parts, defects, required, producers, tuple(remedies), frozenset(around_defects)
    )


def _noises(model: ModelProto, expected: Sequence[Array], actual: Sequence[Array]) -> dict[str, float | None]:
    """The SQNR of each float output in dB; None if nothing differs."""
    found = {
        port.name: signal_to_noise(left, right)
        for port, left, right in zip(model.graph.output, expected, actual, strict=True)
        if left.dtype.kind == "f"
    }
    return {name: None if noise == float("inf") else noise for name, noise in found.items()}


def _first_of(groups: Sequence[Mapping[str, str]], kept: Collection[str]) -> dict[str, str]:
    """The first group with nodes that are not `kept`, without those that are."""
    remaining = ({name: why for name, why in each.items() if name not in kept} for each in groups)
    return next((each for each in remaining if each), {})


def _below(limit: float, noises: Mapping[str, float], model: ModelProto) -> dict[str, str]:
    """The tensors whose SQNR in dB is below a limit, with the operator that produces each."""
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    return {
        name: f"{producers.get(name, 'an input')}: SQNR of {noise:.1f} dB"
        for name, noise in noises.items()
        if noise < limit
    }


def _nodes_around(model: ModelProto, quantized: ModelProto, tensors: dict[str, str]) -> dict[str, str]:
    """The nodes that write or read these tensors, as far as they are quantized."""
    rounded = {node.input[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    return {**nodes_behind(model, tensors, rounded), **nodes_beside(model, tensors)}


def _shortfall(noise: float | None) -> float:
    """By how many dB an output is below the suspicious limit."""
    return 0.0 if noise is None else max(0.0, _SUSPICIOUS_DB - noise)
