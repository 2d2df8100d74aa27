"""A name for each node."""

import onnx_ir as ir


def name_nodes(model: ir.Model) -> None:
    """Nodes without a name, or with one that another has, get one of their own: tools tell nodes apart by name."""
    taken: set[str] = set()
    for number, node in enumerate(model.graph.all_nodes()):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{number}"
        while node.name in taken:
            node.name += "_"
        taken.add(node.name)
