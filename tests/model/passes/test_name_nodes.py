from onnx import TensorProto, helper

from edgekit.model.passes.name_nodes import NameNodesPass
from edgekit.model.passes.rewriting import rewrite


def test_each_node_has_a_name_of_its_own() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "e")]
    names = ["", "same", "same", "Relu_0", "kept"]
    tensors = ["x", "a", "b", "c", "d", "e"]
    nodes = [
        helper.make_node("Relu", [tensors[i]], [tensors[i + 1]], **({"name": name} if name else {}))
        for i, name in enumerate(names)
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:]))
    found = [node.name for node in rewrite(model, NameNodesPass()).graph.node]
    assert len(set(found)) == len(names) and all(found)
    assert found[1] == "same" and found[4] == "kept"
