from pathlib import Path

import onnx

from edgekit.model.facts import observed_facts
from edgekit.model.reading import load_model
from edgekit.traits import Format, Trait


def test_facts_are_seen_in_the_file(conv_model: Path) -> None:
    model = load_model(conv_model)
    assert observed_facts(model) == {Format.ONNX, Trait.FLOAT, Trait.PORTABLE, Trait.STATIC}, (
        "the batch norm is not folded"
    )


def test_a_batch_norm_that_shares_its_convolution_cannot_be_folded(conv_model: Path) -> None:
    model = load_model(conv_model)
    (made,) = [node.output[0] for node in model.graph.node if node.op_type == "Conv"]
    model.graph.node.append(onnx.helper.make_node("Relu", [made], ["beside"]))
    assert Trait.FOLDED in observed_facts(model)
