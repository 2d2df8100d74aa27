"""load-part: take what fits of the declared weights, as a backbone under a new head does; the rest is to be trained."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.progress import Progress
from edgekit.steps.load import Load

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LoadPart(Load):
    """Load the tensors whose names and shapes the module has, below one of its modules where they fit there."""

    contract = replace(Load.contract, provides=frozenset())

    def loaded(self, module: "nn.Module", weights: Path, progress: Progress) -> dict[str, Any]:
        """Load what fits; what was loaded, left and made."""
        from edgekit.training.weights import load_part

        part = load_part(module, weights)
        progress.note(part.sentence(weights.name))
        return {"below": part.below, "loaded": part.loaded, "left": part.left, "made": part.made}
