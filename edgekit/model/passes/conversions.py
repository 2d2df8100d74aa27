"""Conversions between float and 8-bit integers."""

import onnx_ir as ir


def converts(node: ir.Node | None, kind: str) -> bool:
    """Whether a node is of this type and converts between float and 8 bits with one scale and zero point."""
    if node is None or node.op_type != kind or len(node.inputs) < 3:
        return False
    scale, zero = node.inputs[1:]
    one = scale is not None and scale.shape is not None and scale.shape.rank() == 0
    return one and zero is not None and zero.dtype in (ir.DataType.INT8, ir.DataType.UINT8)


def zero_of(node: ir.Node) -> ir.Value:
    """The zero point of a conversion."""
    zero = node.inputs[2]
    assert zero is not None
    return zero


def keep_scale(source: ir.Node) -> None:
    """Let every quantization of a DequantizeLinear's output use that node's scale."""
    for node in [each.node for each in source.outputs[0].uses()]:
        takers = [each.node for each in node.outputs[0].uses()]
        if (
            converts(node, "QuantizeLinear")
            and zero_of(node).dtype is zero_of(source).dtype
            and not node.outputs[0].is_graph_output()
            and all(converts(each, "DequantizeLinear") for each in takers)
        ):
            for taker in takers:
                for index, value in enumerate(source.inputs):
                    taker.replace_input_with(index, value)
