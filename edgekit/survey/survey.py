"""What the planner knows of a model without training it."""

from dataclasses import asdict, dataclass
from typing import Any

from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.project.project import Project
from edgekit.pruning.share import PrunableUnits
from edgekit.traits import Architecture, Data, Role

_VERSION = 3
_PRUNABLE_VERSION = 1


@dataclass(frozen=True)
class Survey:
    """The properties of a model as its entry point defines it."""

    architecture: Architecture
    parameters: int
    channels: tuple[int, ...]
    """The output channels or features of each convolution and linear layer except the last."""
    batch_norms: bool
    prunable: PrunableUnits | None = None
    """What pruning can remove; None if that was not searched for, as in model files."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def survey_key(project: Project, role: Role) -> str:
    """The cache key: a change to the sources of the model or the data makes a survey outdated."""
    if project.model_file is not None:
        return sha256_of_json({"survey": _VERSION, "file": sha256_of_file(project.model_file)})
    return sha256_of_json(
        {
            "survey": _VERSION,
            "model": project.entry_digest(project.model_entry(role) or ""),
            "data": [project.entry_digest(project.data_entry(Data.TRAIN)), project.data.batch_size],
        }
    )


def prunable_key(project: Project, role: Role) -> str:
    """The cache key of what pruning can remove from a role's module."""
    return sha256_of_json({"prunable": _PRUNABLE_VERSION, "of": survey_key(project, role)})
