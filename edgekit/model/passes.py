"""Passes: ONNX graph -> graph rewrites that leave the outputs as they are."""

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_SPATIAL = ([2, 3], [-2, -1], [3, 2], [-1, -2])


def pooled_means(model: ModelProto) -> ModelProto:
    """ReduceMean over height and width of (batch, channels, height, width) becomes GlobalAveragePool, with a Flatten
    where the axes are dropped: the exporter writes the former, and runtimes have integer kernels for the latter alone.

    The shapes of the inner tensors must be known. Changes `model` and returns it.
    """
    graph = model.graph
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.value_info, *graph.input)}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "ReduceMean" and ranks.get(node.input[0]) == 4 and _axes(node, constants) in _SPATIAL:
            nodes += _pool(node)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused_constants(model)
    return model


def products_of_gemms(model: ModelProto) -> ModelProto:
    """Gemm over a constant weight becomes MatMul, and Add where it has a bias: the runtime's 4-bit kernels stand in for
    MatMul alone. Gemm that transposes its input or scales is left. Changes `model` and returns it."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        scales = {options.get("alpha", 1.0), options.get("beta", 1.0)} != {1.0}
        if node.op_type != "Gemm" or node.input[1] not in constants or scales or options.get("transA", 0):
            nodes.append(node)
            continue
        weight = node.input[1]
        if options.get("transB", 0):
            turned = f"{weight}_transposed"
            if turned not in constants:
                constants[turned] = numpy_helper.from_array(numpy_helper.to_array(constants[weight]).T.copy(), turned)
                graph.initializer.append(constants[turned])
            weight = turned
        nodes += _product(node, weight)
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused_constants(model)
    return model


def _product(node: NodeProto, weight: str) -> list[NodeProto]:
    if len(node.input) < 3:
        return [helper.make_node("MatMul", [node.input[0], weight], node.output, name=node.name)]
    between = f"{node.output[0]}_product"
    return [
        helper.make_node("MatMul", [node.input[0], weight], [between], name=node.name),
        helper.make_node("Add", [between, node.input[2]], node.output),
    ]


def _pool(node: NodeProto) -> list[NodeProto]:
    keeps = next((each.i for each in node.attribute if each.name == "keepdims"), 1)
    if keeps:
        return [helper.make_node("GlobalAveragePool", node.input[:1], node.output, name=node.name)]
    between = f"{node.output[0]}_pooled"
    return [
        helper.make_node("GlobalAveragePool", node.input[:1], [between], name=node.name),
        helper.make_node("Flatten", [between], node.output, axis=1),
    ]


def _axes(node: NodeProto, constants: dict[str, TensorProto]) -> list[int]:
    """The axes of a reduction: an input since opset 18, an attribute before; empty where they are not constant."""
    if len(node.input) > 1:
        tensor = constants.get(node.input[1])
        return [] if tensor is None else [int(axis) for axis in numpy_helper.to_array(tensor)]
    return next((list(each.ints) for each in node.attribute if each.name == "axes"), [])


def _drop_unused_constants(model: ModelProto) -> None:
    graph = model.graph
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    if any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute):
        return  # inner graphs may name outer constants
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
