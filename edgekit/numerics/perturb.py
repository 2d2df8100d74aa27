"""A model moved by rounding alone."""

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from edgekit.model.operators import graphs

_PLACES = 2.0**-22
"""Of a value: two units in the last place of float32."""


def perturb_ulp(model: ModelProto, random: np.random.Generator) -> ModelProto:
    """A copy in which each number of the float32 constants is smaller by none, one or two units in its last place.

    Single numbers stay: what a mask's 1 loses, its factor of -3e38 makes a mask everywhere.
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
