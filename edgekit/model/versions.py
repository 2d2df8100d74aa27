"""Opsets raised."""

from onnx import ModelProto, version_converter

from edgekit.errors import ModelError, first_line
from edgekit.model.operators import opset_of

CHANNEL_SCALES = 13
"""The first opset in which QuantizeLinear and DequantizeLinear take a scale for each channel."""
BLOCK_SCALES = 21
"""The first in which they take one for each block."""


def upgrade_opset(model: ModelProto, opset: int) -> ModelProto:
    """The model in `opset`, or in its own where that is newer. Raises ModelError where an operator cannot follow."""
    own = opset_of(model)
    if own >= opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # of onnx's C++ core, without a base class
        raise ModelError(
            f"the graph's opset {own} cannot be raised to {opset}: {first_line(error)}",
            f"export it again with opset {opset} or newer",
        ) from error
