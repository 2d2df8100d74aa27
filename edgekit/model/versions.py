"""Upgrade a model's opset."""

from onnx import ModelProto, version_converter

from edgekit.errors import ModelError, first_line
from edgekit.model.operators import opset_of

CHANNEL_SCALES = 13
"""The first opset in which QuantizeLinear and DequantizeLinear support per-channel scales."""
BLOCK_SCALES = 21
"""The first opset in which they support per-block scales."""


def upgrade_opset(model: ModelProto, opset: int) -> ModelProto:
    """The model in `opset`, or unchanged if its own is newer. Raises ModelError if an operator cannot be converted."""
    own = opset_of(model)
    if own >= opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # onnx's C++ core raises exceptions without a common base class
        raise ModelError(
            f"the graph's opset {own} cannot be raised to {opset}: {first_line(error)}",
            f"export it again with opset {opset} or newer",
        ) from error
