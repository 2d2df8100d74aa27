"""The model file that a project starts from."""

from functools import lru_cache
from pathlib import Path

from onnx import ModelProto

from edgekit.errors import ModelError
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.model.architecture import architecture_of
from edgekit.model.facts import observed_facts
from edgekit.model.operators import is_standard, nodes
from edgekit.model.reading import load_model, weight_files
from edgekit.traits import FILE_ENTRY, INTEGER_ENTRY, Architecture, Facts, Trait


def file_digest(path: Path) -> str:
    """The digest of a model file and of its external weight files. Raises ModelError if one is missing."""
    return sha256_of_json([sha256_of_file(each) for each in (path, *weight_files(path))])


def import_model(path: Path) -> ModelProto:
    """The model in a file, with external weights loaded. Raises ModelError for one that no build can start from: float,
    with non-standard operators."""
    model = load_model(path)
    own = ("", "com.microsoft") if Trait.INTEGER in observed_facts(model) else ("",)
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in nodes(model.graph)
            if not is_standard(node) and node.domain not in own
        }
    )
    if foreign:
        raise ModelError(
            f"{path.name} has operators that are not standard ONNX: {', '.join(foreign[:3])}",
            "start from the exported file, before any runtime's optimizer or quantizer",
        )
    return model


def file_facts(path: Path) -> Facts:
    """The facts of a model file that a project starts from. Raises ModelError if it cannot be read."""
    return _known(path)[0]


def file_architecture(path: Path) -> Architecture:
    """The architecture of a model file. Raises ModelError if it cannot be read."""
    return _known(path)[1]


def _known(path: Path) -> tuple[Facts, Architecture]:
    if not path.is_file():
        load_model(path)  # raises with the reason
    stat = path.stat()
    return _read(path, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=16)
def _read(path: Path, _: tuple[int, int]) -> tuple[Facts, Architecture]:
    """Cached until the file changes, because models are large and a build reads this several times."""
    model = load_model(path)
    found = observed_facts(model)
    return FILE_ENTRY if Trait.INTEGER not in found else found | INTEGER_ENTRY, architecture_of(model)
