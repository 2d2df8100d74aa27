import numpy as np
import onnx_ir as ir
import pytest

from edgekit.model.passes.conversions import converts, zero_of


def conversion(scale: object, kind: type[np.integer]) -> ir.Node:
    arrays = {"s": np.array(scale, np.float32), "z": np.zeros_like(np.array(scale), kind)}
    constants = [
        ir.val(
            name,
            const_value=ir.tensor(array),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            shape=array.shape,
        )
        for name, array in arrays.items()
    ]
    return ir.node("DequantizeLinear", [ir.val("q"), *constants])


@pytest.mark.parametrize(
    ("scale", "kind", "one"),
    [(0.5, np.int8, True), (0.5, np.uint8, True), ([0.5, 1.0], np.int8, False), (0.5, np.int32, False)],
)
def test_a_conversion_has_one_scale_and_8_bits(scale: object, kind: type[np.integer], one: bool) -> None:
    node = conversion(scale, kind)
    assert converts(node, "DequantizeLinear") is one
    assert not converts(node, "QuantizeLinear")
    assert not converts(None, "DequantizeLinear")
    assert zero_of(node).name == "z"


def test_without_a_zero_point_it_is_none() -> None:
    assert not converts(ir.node("DequantizeLinear", [ir.val("q"), ir.val("s")]), "DequantizeLinear")
