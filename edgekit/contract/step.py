"""Step: one unit of a plan, with the contract that the planner checks and the options that a recipe sets."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from edgekit.contract.artifact import Artifact
from edgekit.contract.technique import Technique
from edgekit.host import Host
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.target import Target
from edgekit.traits import Data, Facts, Feature, Format, Role

if TYPE_CHECKING:
    from edgekit.data.splits import Splits

DISTURBED = "disturbed"
"""The note of what disturbed the machine while the step measured times. Such an output is not taken from the cache."""

OUTLIERS = "outliers"
"""The note of calibration samples that set the activation ranges alone, as sentences that warn of them."""

Setting = Literal["seed", "loss", "ports", "weights", "metric"]
"""Of a project: its seed; its own loss function; the names of inputs and outputs; the file of trained weights; its
metric and the allowed drop."""


Section = Literal["as-given", "scheme", "training", "float-fallback", "operators", "tflite", "simplification"]
"""A group of a step's notes for which reports have lines: that a quantized model is left as given; the integer scheme;
the rounding that was trained for; operators that fell back to float for speed; the numbers of integer and float
operators; the agreement of a TFLite file; the simplifier that was chosen."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a step requires of a model's representation, and what it provides.

    The planner checks `requires <= have`, then sets `have = (have & preserves) | provides`.
    """

    requires: Facts
    provides: Facts
    preserves: Facts
    """It has no default, so that the author of a step must decide."""
    joins: Mapping[Role, Facts] = field(default_factory=dict)
    """Models in other roles that the step reads, and the facts that they must have."""
    data: frozenset[Data] = frozenset()
    target: frozenset[str] = frozenset()
    """The fields of Target that affect the result. The step cannot read others."""
    settings: frozenset[Setting] = frozenset()
    """What it reads of the project besides entry points and data."""
    packages: tuple[str, ...] = ()
    """Packages whose version affects the result."""


@dataclass(frozen=True)
class TargetView:
    """A target with only the fields that a step's contract declares."""

    target: Target | None
    """The whole target, for `decided_by`; None where a step that reads no target runs alone."""
    visible: frozenset[str]

    def __getattr__(self, name: str) -> Any:
        if name not in self.visible:
            raise AttributeError(f"the step's contract does not declare that it reads target.{name}")
        return getattr(self.target, name)

    def is_this(self, host: Host) -> bool:
        """As `Target.is_this`; False where there is no target."""
        if not {"arch", "isa", "cpuinfo"} <= self.visible:
            raise AttributeError(
                "the step's contract does not declare the target properties that differ from this machine"
            )
        return self.target is not None and self.target.is_this(host)


@dataclass(frozen=True)
class Context:
    """What a step is given when it runs."""

    project: Project
    splits: "Splits"
    target: TargetView
    role: Role
    folder: Path
    """For the step's output. It becomes the cache entry when the step is done."""
    checkpoints: Path
    """For checkpoints, from which an interrupted step resumes."""
    progress: Progress


@dataclass(frozen=True)
class Outcome:
    """A step's result: a file in the context's folder, and what the step observed."""

    path: Path
    notes: dict[str, Any]


@dataclass(frozen=True)
class Step(ABC):
    """One technique. A subclass is a frozen dataclass whose fields are its options; defining it registers it."""

    contract: ClassVar[Contract]
    registry: ClassVar[dict[str, type["Step"]]] = {}

    # What the planner, the driver and the reports must know of a step is declared here, so that none looks it up by
    # name.
    sections: ClassVar[tuple[Section, ...]] = ()
    """The sections of its notes that reports show."""
    feature: ClassVar[Feature | None] = None
    """What a runtime must support for this step; for a runtime without it the step is left out of the recipe."""
    equivalents: ClassVar[Mapping[Format, str]] = {}
    """The step that writes the same compression in another file format, for a runtime that lacks `feature`."""
    converts_to: ClassVar[Format | None] = None
    """The format into which it converts the last ONNX model of any recipe; None where it does not."""
    reference_order: ClassVar[int | None] = None
    """Its place among the steps that turn a trained module into the reference file; None where it is none of them."""
    loaded_by: ClassVar[str] = ""
    """The step that takes its place for a role whose trained weights the project declares."""
    without_joined: ClassVar[str] = ""
    """The step that takes its place in a project without the models that its contract joins."""
    former_names: ClassVar[tuple[str, ...]] = ()
    """Its former names. Recipes may use them for one release."""
    former_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """By option: its former values and what they are called now. They are accepted for one release."""
    fallback_option: ClassVar[str] = ""
    """The option that names the operators in float; a build may take it over from an earlier build's manifest."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not getattr(cls.run, "__isabstractmethod__", False):
            Step.registry[cls.name()] = cls

    @classmethod
    def name(cls) -> str:
        """The class's name as recipes spell it: QuantizeWeights is quantize-weights."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    def options(self) -> dict[str, Any]:
        """The options by name, as JSON values."""
        return asdict(self)

    @classmethod
    def loads_weights(cls) -> bool:
        """Whether it loads the trained weights that the project declares."""
        return "weights" in cls.contract.settings

    def changed_options(self) -> dict[str, Any]:
        """The options that are not at their defaults."""
        defaults = type(self)().options()
        return {name: value for name, value in self.options().items() if value != defaults[name]}

    def reads(self) -> Contract:
        """The contract, extended by what these options make the step read."""
        return self.contract

    @abstractmethod
    def technique(self, target: Target | None) -> Technique:
        """What this step applies with these options. Properties that the target decides are None where it is
        unknown."""

    def decided_by(self, target: Target) -> Any:
        """What affects the output besides what the contract reads, as JSON values; None if nothing does."""
        return None

    def is_timed(self, target: Target) -> bool:
        """Whether times measured on this machine affect the output, so that it can be requested again."""
        return False

    @abstractmethod
    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        """Derive the next artifact from `model`; `joined` holds the artifacts of the roles that the contract names."""
