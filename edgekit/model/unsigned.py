"""An integer model on unsigned numbers throughout: the same values, by kernels that do not saturate on any x86."""

from collections.abc import Iterator

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from edgekit.model.operators import graphs

_SHIFT = 128


def unsigned(model: ModelProto) -> ModelProto:
    """A copy in which every int8 number is 128 more and uint8, zero points with it: each stands for what it stood for.

    Weights times unsigned activations are then added without saturation where a CPU adds signed products in 16 bits.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    for graph in graphs(copy.graph):
        del graph.value_info[:]
        for tensor in _tensors(graph):
            if tensor.data_type == TensorProto.INT8:
                shifted = numpy_helper.to_array(tensor).astype(np.int16) + _SHIFT
                tensor.CopyFrom(numpy_helper.from_array(shifted.astype(np.uint8), tensor.name))
    return copy


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (each.t for each in node.attribute if each.name == "value")
