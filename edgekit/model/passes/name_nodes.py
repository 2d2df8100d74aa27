"""Give each node a unique name."""

import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass


class NameNodesPass(GraphPass):
    """Name nodes that have no name, or another node's: tools identify nodes by name."""

    def apply(self, model: ir.Model) -> None:
        taken: set[str] = set()
        for number, node in enumerate(model.graph.all_nodes()):
            if not node.name or node.name in taken:
                node.name = f"{node.op_type}_{number}"
            while node.name in taken:
                node.name += "_"
            taken.add(node.name)
