"""Matrix products on integers whose ranges are found at run time."""

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.model.passes.rewriting import array_of, constant, insert_before, replace
from edgekit.model.passes.weight_products import narrows, products_by_input

_FULL, _REDUCED = 127, 64
_TINY = np.finfo(np.float32).tiny
_BLOCKS = (128, 64, 32)
"""Neighbouring weights that share a scale: as many as divide a column."""
_TABLE = 4096
"""Numbers: what a smaller table saves is less than its conversion takes."""


def dynamic_products(model: ir.Model, *, reduced: bool) -> None:
    """Each matrix product over a constant as one of 8-bit integers: the weights symmetric with a scale a column, over
    half of their range where `reduced`; the activations unsigned by the range that they have at run time, found once
    for all products that share them. In the form that ONNX Runtime fuses. Products with one another stay on floats."""
    for given, nodes in products_by_input(model):
        _quantize(model, given, nodes, _REDUCED if reduced else _FULL)


def block_products(model: ir.Model) -> None:
    """Each matrix product that narrows, over 8-bit weights with a scale for each block of a column. ONNX Runtime fuses
    that (from opset 21 on) to a kernel that rounds activations, too, by the range of each block of a row: finer than
    one range for all of them."""
    for _, nodes in products_by_input(model):
        for node in nodes:
            weight = array_of(node.inputs[1])
            assert weight is not None
            size = next((each for each in _BLOCKS if len(weight) % each == 0), 0)
            if size and narrows(node):
                _put_in_blocks(model, node, weight, size)


def integer_tables(model: ir.Model) -> None:
    """Tables that are looked up by row, and nothing else, as 8-bit integers with one scale."""
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
    """The scale of a whole, or of each slice across `axis`, with as many axes, and the integers from -`limit` to
    `limit`."""
    scale = (np.abs(weight).max(axis=axis, keepdims=True).clip(_TINY) / limit).astype(np.float32)
    return scale, np.rint(weight / scale).astype(np.int8)
