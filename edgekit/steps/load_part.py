"""load-part: load the declared weights that fit, such as a backbone's under a new head; the rest is trained."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.progress import Progress
from edgekit.steps.load import Load

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LoadPart(Load):
    """Load the tensors whose names and shapes the module has, below one of its submodules if they fit there."""

    contract = replace(Load.contract, provides=frozenset())

    def load(self, module: "nn.Module", weights: Path, progress: Progress) -> dict[str, Any]:
        """Load what fits; returns what was loaded, ignored and initialized."""
        from edgekit.training.weights import load_part

        part = load_part(module, weights)
        progress.note(part.sentence(weights.name))
        return {"below": part.below, "loaded": part.loaded, "left": part.left, "made": part.made}
