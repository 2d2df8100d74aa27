from pathlib import Path

from edgekit.model.facts import observed_facts
from edgekit.model.reading import load_model
from edgekit.traits import Format, Trait


def test_facts_are_seen_in_the_file(conv_model: Path) -> None:
    model = load_model(conv_model)
    assert observed_facts(model) == {Format.ONNX, Trait.FLOAT, Trait.PORTABLE}, "the batch norm is not folded"
