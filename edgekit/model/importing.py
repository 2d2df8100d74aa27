"""A model file that a project starts from."""

from pathlib import Path

from onnx import ModelProto

from edgekit.errors import ModelError
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.model.facts import observed_facts
from edgekit.model.operators import is_standard, nodes
from edgekit.model.reading import load_model, weight_files
from edgekit.traits import Trait


def file_digest(path: Path) -> str:
    """The digest of a model file and of those that hold its weights. Raises ModelError where one is missing."""
    return sha256_of_json([sha256_of_file(each) for each in (path, *weight_files(path))])


def imported(path: Path) -> ModelProto:
    """The model in a file, its weights taken in. Raises ModelError for one that no build can start from: quantized
    already, or with operators that are not standard."""
    model = load_model(path)
    facts = observed_facts(model)
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in nodes(model.graph) if not is_standard(node)})
    if foreign:
        raise ModelError(
            f"{path.name} has operators that are not standard ONNX: {', '.join(foreign[:3])}",
            "start from the file as it was exported, before a runtime's optimizer or quantizer",
        )
    if Trait.INTEGER in facts:
        raise ModelError(f"{path.name} is quantized already", "start from the float model")
    return model
