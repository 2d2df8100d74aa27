"""Artifact: a model as one step left it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.locks import Hold
from edgekit.traits import Facts, Format, Role


@dataclass(frozen=True)
class Artifact:
    """A model file and what is known about it."""

    path: Path
    format: Format
    facts: Facts
    digest: str
    """SHA-256 of the file; for the entry point, of its sources."""
    role: Role
    parents: tuple[str, ...] = ()
    """Digests of the artifacts that it was derived from."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What the step observed: parameters, accuracy, nodes by type. Goes into the manifest's lineage."""
    hold: Hold | None = field(default=None, compare=False, repr=False)
    """Keeps the file in the cache while the artifact is referenced; None for a file that is not in the cache."""
