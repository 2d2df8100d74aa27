"""What can be known of a model without training it: what the planner judges by."""

from dataclasses import asdict, dataclass
from typing import Any

from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.project.project import Project
from edgekit.traits import Architecture, Data, Role

_VERSION = 1


@dataclass(frozen=True)
class Survey:
    """One model, as its entry point gives it."""

    architecture: Architecture
    parameters: int
    channels: tuple[int, ...]
    """The output channels or features of each convolution and linear layer but the last."""
    batch_norms: bool
    batch_s: float | None
    """Seconds of a forward and a backward pass over one training batch, on this machine, one measurement; None where
    nothing is trained."""
    batches: int | None
    """Of an epoch; None where the data cannot say."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def survey_key(project: Project, role: Role) -> str:
    """The cache's key: a change to the model's or the data's sources makes a survey out of date."""
    if project.model_file is not None:
        return sha256_of_json({"survey": _VERSION, "file": sha256_of_file(project.model_file)})
    return sha256_of_json(
        {
            "survey": _VERSION,
            "model": project.entry_digest(project.model_entry(role) or ""),
            "data": [project.entry_digest(project.data_entry(Data.TRAIN)), project.data.batch_size],
        }
    )
