"""Perturb a model by rounding errors alone."""

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from edgekit.model.operators import graphs

_PLACES = 2.0**-22
"""Two ULP of float32, relative to a value."""


def perturb_ulp(model: ModelProto, random: np.random.Generator) -> ModelProto:
    """A copy in which each value of the float32 constants is reduced by zero, one or two ULP.

    Scalars are not perturbed: in `(1 - mask) * -3e38`, changing the 1 by one ULP would mask every position.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    for graph in graphs(copy.graph):
        for tensor in graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                array = numpy_helper.to_array(tensor)
                if array.size > 1:
                    places = 1 - _PLACES / 2 * random.integers(0, 3, array.shape)
                    tensor.CopyFrom(numpy_helper.from_array((array * places).astype(np.float32), tensor.name))
    return copy
