"""Perturb a model by rounding errors alone."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from edgekit.model.operators import graphs, nodes

_PLACES = 2.0**-22
"""Two ULP of float32, relative to a value."""
_SHAPES = {
    "ConstantOfShape": (0,), "Expand": (1,), "OneHot": (1,), "Pad": (1, 3), "Range": (0, 1, 2), "Reshape": (1,),
    "Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,), "Tile": (1,), "TopK": (1,),
    "Trilu": (1,), "Unsqueeze": (1,), "Upsample": (1,),
}  # fmt: skip
"""By operator, the inputs that set the shape of the output or the positions that it reads."""
_READS_NO_VALUE = ("Shape", "Size")


def perturb_ulp(model: ModelProto, random: np.random.Generator) -> ModelProto:
    """A copy in which each value of the float32 constants that reach activations is reduced by zero, one or two ULP.

    Constants that set shapes are not perturbed: a Resize with the scale 1.9999999 has fewer rows. Scalars are not
    perturbed either: in `(1 - mask) * -3e38`, changing the 1 by one ULP would mask every position.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    shapes = _set_shapes(model)
    for graph in graphs(copy.graph):
        for tensor in graph.initializer:
            if tensor.data_type == TensorProto.FLOAT and tensor.name not in shapes:
                array = numpy_helper.to_array(tensor)
                if array.size > 1:
                    places = 1 - _PLACES / 2 * random.integers(0, 3, array.shape)
                    tensor.CopyFrom(numpy_helper.from_array((array * places).astype(np.float32), tensor.name))
    return copy


def _set_shapes(model: ModelProto) -> set[str]:
    """The tensors from which shapes are computed, directly or through other operators."""
    makers: dict[str, NodeProto] = {name: node for node in nodes(model.graph) for name in node.output if name}
    waiting = [
        node.input[place]
        for node in nodes(model.graph)
        for place in _SHAPES.get(node.op_type, ())
        if place < len(node.input)
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name and name not in found:
            found.add(name)
            maker = makers.get(name)
            if maker is not None and maker.op_type not in _READS_NO_VALUE:
                waiting += maker.input
    return found
