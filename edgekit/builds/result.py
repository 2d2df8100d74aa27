"""The result of a build for each of its targets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.builds.runtime_choice import RuntimeTrial
from edgekit.data.splits import Splits
from edgekit.execution.driver import StepRun
from edgekit.gates.gates import Status
from edgekit.gates.speed import NEVER_SLOWER
from edgekit.gates.verdict import Verdict
from edgekit.notebooks import ShownInNotebooks
from edgekit.planning.lint import Finding
from edgekit.project.project import Project
from edgekit.target import Target
from edgekit.traits import Data, Fidelity


@dataclass(frozen=True)
class RejectedRecipe:
    """A recipe that a build tried and rejected in favour of its fallback."""

    recipe: str
    why: str
    gate: str = ""
    """The first gate that failed; empty if a step failed."""


@dataclass(frozen=True)
class TargetBuild:
    target: Target
    recipe: str
    rejected_recipes: tuple[RejectedRecipe, ...]
    bundle: Path
    model_bytes: int
    float_bytes: int
    reference_bytes: int
    value: float
    """The deployed model's metric."""
    fidelity: Fidelity
    """How that was obtained. The next two are of this machine."""
    float_value: float
    reference_value: float
    verdict: Verdict
    steps: tuple[StepRun, ...]
    findings: tuple[Finding, ...]
    """Warnings, and errors that were allowed."""
    runtimes: tuple[RuntimeTrial, ...] = ()
    """The runtimes that were tried if the fastest was requested, the deployed one first."""

    @property
    def shuns_slow_integers(self) -> bool:
        """Whether a float model is deployed because the integer model was slower."""
        slow = any(each.gate == NEVER_SLOWER for each in self.rejected_recipes)
        return slow and all(gate.name != NEVER_SLOWER for gate in self.verdict.gates)


@dataclass(frozen=True)
class DataUse:
    """How samples were used for a model file."""

    calibration: str
    """Where the calibration samples came from."""
    calibration_samples: int | None
    evaluation: str
    evaluation_samples: int | None
    held_out: bool
    """Whether evaluation samples were held out of the calibration samples."""
    labelled: bool
    preprocessing: dict[str, Any]

    @staticmethod
    def of(project: Project, splits: Splits) -> "DataUse":
        calibration, evaluation = splits[Data.CALIBRATION], splits[Data.EVALUATION]
        most, length = project.data.calibration_samples, calibration.length
        return DataUse(
            calibration.entry,
            length if length is None else min(most, length),
            evaluation.entry,
            evaluation.length,
            project.holds_out,
            evaluation.labelled,
            evaluation.preprocessing,
        )


@dataclass(frozen=True)
class Build(ShownInNotebooks):
    project: Project
    targets: tuple[TargetBuild, ...]
    assumed: tuple[str, ...]
    """Data that the project does not declare: hashed once and assumed unchanged since."""
    data: DataUse | None = None
    """None for projects whose modules are trained."""

    def passes(self, *, strict: bool) -> bool:
        """Whether no gate failed. With `strict`, every gate must also be decided, except never-slower where nothing
        suggests that the integers are slower, and no float model may replace slower integers."""
        gates = [gate for each in self.targets for gate in each.verdict.gates]
        if any(gate.status is Status.FAILED for gate in gates):
            return False
        open_ones = (Status.NOT_RUN, Status.UNDECIDED)
        unknown = any(gate.status in open_ones and (gate.name != NEVER_SLOWER or gate.warning) for gate in gates)
        return not (strict and (unknown or any(each.shuns_slow_integers for each in self.targets)))
