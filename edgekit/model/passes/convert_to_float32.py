"""Convert a graph that computes in other float types to float32."""

import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, values_of

_OTHERS = {ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE}
_SINGLE = ir.DataType.FLOAT
_TYPES = {"to", "dtype", "output_dtype"}
"""Attributes that hold element types."""


class ConvertToFloat32Pass(GraphPass):
    """Convert all floats to float32, except for the graph's inputs and outputs, which are cast."""

    def apply(self, model: ir.Model) -> None:
        graph = model.graph
        ports = {value: value.dtype for value in (*graph.inputs, *graph.outputs) if value.dtype in _OTHERS}
        for value in values_of(graph):
            if value.dtype in _OTHERS and not value.is_graph_input():
                value.dtype = _SINGLE
                if value.const_value is not None:
                    value.const_value = _single(value.const_value, value.name)
        for node in graph.all_nodes():
            for name, attribute in list(node.attributes.items()):
                if attribute.type == ir.AttributeType.TENSOR and attribute.as_tensor().dtype in _OTHERS:
                    node.attributes[name] = ir.AttrTensor(name, _single(attribute.as_tensor(), None))
                elif name in _TYPES and attribute.type == ir.AttributeType.INT and attribute.as_int() in _OTHERS:
                    node.attributes[name] = ir.AttrInt64(name, _SINGLE.value)
        for value in list(graph.inputs):
            if value in ports:
                readers = list(value.uses())
                cast = _cast(value, _SINGLE, f"{value.name}_single")
                graph.insert_before(graph[0], cast)
                for node, index in readers:
                    node.replace_input_with(index, cast.outputs[0])
        for number, value in enumerate(graph.outputs):
            if value in ports and not value.is_graph_input():
                name = str(value.name)
                value.name = f"{name}_single"
                cast = _cast(value, ports[value], name)
                graph.append(cast)
                graph.outputs[number] = cast.outputs[0]


def _cast(value: ir.Value, kind: ir.DataType | None, name: str) -> ir.Node:
    assert kind is not None
    cast = ir.node("Cast", [value], {"to": kind.value})
    made = cast.outputs[0]
    made.name, made.dtype, made.shape = name, kind, value.shape
    return cast


def _single(tensor: ir.TensorProtocol, name: str | None) -> ir.TensorProtocol:
    return ir.tensor(tensor.numpy().astype("float32"), name=name)
