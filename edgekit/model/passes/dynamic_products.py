"""Integer matrix products with dynamic activation ranges."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.model.passes.rewriting import GraphPass, array_of, constant, insert_before, replace
from edgekit.model.passes.weight_products import narrows, products_by_input

_FULL, _REDUCED = 127, 64
_TINY = np.finfo(np.float32).tiny
_BLOCKS = (128, 64, 32)
"""Block sizes: adjacent weights of a column that share a scale; the largest that divides the column."""
_TABLE = 4096
"""Elements: converting a smaller table costs more than it saves."""


@dataclass(frozen=True)
class DynamicProductsPass(GraphPass):
    """Replace each matrix product with a constant by an 8-bit one, in the form that ONNX Runtime fuses. Weights are
    symmetric with one scale per column, over half of their range if `reduced`. Activations are unsigned with the range
    of each run, computed once for all products that share them. Products of two activations stay float."""

    reduced: bool

    def apply(self, model: ir.Model) -> None:
        for given, nodes in products_by_input(model):
            _quantize(model, given, nodes, _REDUCED if self.reduced else _FULL)


class BlockProductsPass(GraphPass):
    """Quantize the weights of each matrix product that narrows to 8 bits with one scale per block of a column. ONNX
    Runtime fuses this (from opset 21 on) into a kernel that also rounds activations per block of a row, which is finer
    than one range for all."""

    def apply(self, model: ir.Model) -> None:
        for _, nodes in products_by_input(model):
            for node in nodes:
                weight = array_of(node.inputs[1])
                assert weight is not None
                size = next((each for each in _BLOCKS if len(weight) % each == 0), 0)
                if size and narrows(node):
                    _put_in_blocks(model, node, weight, size)


class IntegerTablesPass(GraphPass):
    """Quantize tables that are only looked up by row to 8 bits with one scale."""

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            table = array_of(node.inputs[0]) if node.op_type == "Gather" and not node.domain else None
            value = node.inputs[0] if node.inputs else None
            if table is None or value is None or table.dtype != np.float32 or table.size < _TABLE:
                continue
            if node.attributes.get_int("axis", 0) == 0 and len(value.uses()) == 1:
                scale, integers = _symmetric(table, None, _FULL)
                stored = constant(node, f"{value.name}_integers", integers)
                rows = ir.node("Gather", [stored, node.inputs[1]], name=node.name)
                rows.outputs[0].name = f"{node.outputs[0].name}_rows"
                factor = constant(node, f"{value.name}_scale", scale.reshape(()))
                zero = constant(node, f"{value.name}_zero_point", np.array(0, np.int8))
                replace(model, node, [rows, ir.node("DequantizeLinear", [rows.outputs[0], factor, zero])])


def _quantize(model: ir.Model, given: ir.Value, nodes: list[ir.Node], limit: int) -> None:
    rounded = ir.node("DynamicQuantizeLinear", [given], num_outputs=3)
    integers, scale, zero = rounded.outputs
    integers.name, integers.type = f"{given.name}_integers", ir.TensorType(ir.DataType.UINT8)
    scale.name, scale.type = f"{given.name}_scale", ir.TensorType(ir.DataType.FLOAT)
    zero.name, zero.type = f"{given.name}_zero_point", ir.TensorType(ir.DataType.UINT8)
    insert_before(model, nodes[0], rounded)
    for node in nodes:
        weight = node.inputs[1]
        array = array_of(weight)
        assert weight is not None and array is not None
        columns, stored = _symmetric(array, 0, limit)
        columns = columns.reshape(-1)
        parts = {"integers": stored, "scale": columns, "zero_point": np.zeros(len(columns), np.int8)}
        factors = [constant(node, f"{weight.name}_{part}", each) for part, each in parts.items()]
        out = node.outputs[0].name
        product = ir.node("MatMulInteger", [integers, factors[0], zero, factors[2]], name=node.name)
        number = ir.node("Cast", product.outputs, {"to": ir.DataType.FLOAT})
        factor = ir.node("Mul", [scale, factors[1]])
        for each, part in ((product, "sum"), (number, "sum_float"), (factor, "factor")):
            each.outputs[0].name = f"{out}_{part}"
        replace(model, node, [product, number, factor, ir.node("Mul", [number.outputs[0], factor.outputs[0]])])


def _put_in_blocks(model: ir.Model, node: ir.Node, weight: Array, size: int) -> None:
    value = node.inputs[1]
    assert value is not None
    scale, integers = _symmetric(weight.reshape(-1, size, weight.shape[1]), 1, _FULL)
    parts = {
        "integers": integers.reshape(weight.shape),
        "scale": scale.reshape(-1, weight.shape[1]),
        "zero_point": np.zeros((len(weight) // size, weight.shape[1]), np.int8),
    }
    stored = [constant(node, f"{value.name}_{part}", each) for part, each in parts.items()]
    floats = ir.node("DequantizeLinear", stored, {"axis": 0, "block_size": size})
    floats.outputs[0].name = f"{value.name}_floats"
    floats.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    insert_before(model, node, floats)
    node.replace_input_with(1, floats.outputs[0])


def _symmetric(weight: Array, axis: int | None, limit: int) -> tuple[Array, Array]:
    """The symmetric scale of the whole array, or of each slice across `axis` with dimensions kept, and the integers
    from -`limit` to `limit`."""
    scale = (np.abs(weight).max(axis=axis, keepdims=True).clip(_TINY) / limit).astype(np.float32)
    return scale, np.rint(weight / scale).astype(np.int8)
