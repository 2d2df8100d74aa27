"""Smooth activations: move the range of outlier channels into the weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.model.passes.rewriting import GraphPass, array_of, constant, insert_before
from edgekit.model.passes.weight_products import narrows, products_by_input

_LEAST = 1e-5
"""A lower bound relative to a channel's largest value, so that unused channels are not divided by zero."""


@dataclass(frozen=True)
class SmoothPass(GraphPass):
    """Divide the input channels of matrix products by s and multiply the weight rows by s, with s = max|x|^alpha /
    max|w|^(1 - alpha) per channel (SmoothQuant, arXiv 2211.10438, equation 4), normalized by its geometric mean.
    Products with the same input share one s.

    `largest` maps each input's name to its largest absolute values, shape (channels,). If a LayerNormalization produces
    the input for these products alone, its factors absorb the division. Otherwise a Mul is inserted; unless
    `everywhere`, it is omitted before products that do not narrow.
    """

    largest: Mapping[str, Array]
    """By input: the largest absolute values, shape (channels,)."""
    alpha: float
    everywhere: bool = True

    def apply(self, model: ir.Model) -> None:
        for given, nodes in products_by_input(model):
            if given.name is None or given.name not in self.largest:
                continue
            norm = _absorbing_norm(given, nodes)
            if norm is None and not self.everywhere and not any(map(narrows, nodes)):
                continue
            inverse = _smooth_factors(nodes, self.largest[given.name], self.alpha)
            if norm is not None:
                _divide_in(norm, given, inverse)
            else:
                _divide_before(model, given, nodes, inverse)


def _smooth_factors(nodes: list[ir.Node], largest: Array, alpha: float) -> Array:
    """The divisors of the channels, with the weights multiplied."""
    stored = [array_of(node.inputs[1]) for node in nodes]
    weights = [each for each in stored if each is not None]
    rows = np.max([np.abs(each).max(axis=1) for each in weights], axis=0)
    logs = alpha * np.log(largest.clip(_LEAST)) - (1 - alpha) * np.log(rows.clip(_LEAST))
    scale = np.exp(logs - logs.mean())
    for node, weight in zip(nodes, weights, strict=True):
        smoothed = (weight * scale[:, None]).astype(weight.dtype)
        assert node.inputs[1] is not None
        node.replace_input_with(1, constant(node, f"{node.inputs[1].name}_smooth", smoothed))
    return (1 / scale).astype(weights[0].dtype)  # type: ignore[no-any-return]


def _divide_in(norm: ir.Node, given: ir.Value, inverse: Array) -> None:
    for index in range(1, len(norm.inputs)):
        factor = array_of(norm.inputs[index])
        assert factor is not None
        norm.replace_input_with(index, constant(norm, f"{given.name}_smooth_{index}", factor * inverse))


def _divide_before(model: ir.Model, given: ir.Value, nodes: list[ir.Node], inverse: Array) -> None:
    divided = ir.node("Mul", [given, constant(nodes[0], f"{given.name}_smoothing", inverse)])
    divided.outputs[0].name = f"{given.name}_smooth"
    divided.outputs[0].type, divided.outputs[0].shape = given.type, given.shape
    insert_before(model, nodes[0], divided)
    for node in nodes:
        node.replace_input_with(0, divided.outputs[0])


def _absorbing_norm(value: ir.Value, nodes: list[ir.Node]) -> ir.Node | None:
    """The LayerNormalization with constant factors that produces a value for these products alone."""
    norm = value.producer()
    if norm is None or norm.op_type != "LayerNormalization" or value.is_graph_output():
        return None
    stored = all(array_of(each) is not None for each in norm.inputs[1:])
    return norm if stored and {use.node for use in value.uses()} == set(nodes) else None
