"""Recipe -> Plan: a symbolic walk through the recipe that checks every step's contract.

Neither torch nor onnxruntime is imported: a wrong order is reported before anything is trained.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edgekit.contract.registry import reference_steps
from edgekit.contract.step import Step
from edgekit.contract.technique import Family
from edgekit.errors import PlanError
from edgekit.planning.recipe import Recipe, RecipeStep
from edgekit.records import Record
from edgekit.traits import FILE_ENTRY, FILES, INTEGER_ENTRY, MODULE_ENTRY, Fact, Facts, Format, Role, Trait

MEANING: Mapping[Fact, str] = {
    Format.TORCH: "a PyTorch module",
    Format.ONNX: "an ONNX file",
    Format.TFLITE: "a TFLite file",
    Trait.FLOAT: "a model with float weights",
    Trait.INTEGER: "a quantized model",
    Trait.CONVERGED: "a trained model",
    Trait.UNCUT: "a module in the shapes of its entry point",
    Trait.FOLDED: "a graph with folded batch norms",
    Trait.PORTABLE: "a graph of standard operators",
    Trait.STATIC: "a graph whose scales are fixed",
}


@dataclass(frozen=True)
class PlannedStep(RecipeStep):
    index: int
    """Position in the plan, from 0."""
    parent: int | None
    """The step whose output it reads; None for the role's entry point."""
    joined: Mapping[Role, int]
    """Further steps whose outputs it reads, by role."""
    facts: Facts
    """The facts of its output, by the contracts."""


class Plan(Record, frozen=True):
    recipe: str
    steps: tuple[PlannedStep, ...]
    deployed: int
    """The step whose output is deployed."""
    float_student: int | None
    """The last float ONNX model before the deployed one; None for the file that the project starts from."""
    reference: int | None
    """The uncompressed model as fp32 ONNX, from the last trained module before the first lossy step; None for the file
    that the project starts from."""

    def line(self, index: int) -> list[int]:
        """The steps that lead to a step's model, itself the last."""
        return [*reversed(_parents(self.steps, index)), index]

    def order(self) -> list[PlannedStep]:
        """The steps in running order: a teacher is exported as the reference as soon as it is trained, so that a
        failing export is found before the student is trained."""
        branch = [each for each in self.steps if each.role is Role.REFERENCE]
        if not branch:
            return list(self.steps)
        line = [each for each in self.steps if each.role is not Role.REFERENCE]
        start = branch[0].parent
        if start is None or self.steps[start].role is not Role.TEACHER:
            return list(self.steps)
        at = start + 1
        return line[:at] + branch + line[at:]


def _parents(steps: Sequence[PlannedStep], index: int) -> list[int]:
    """The steps that a step's own model comes from, the nearest first."""
    found = []
    parent = steps[index].parent
    while parent is not None:
        found.append(parent)
        parent = steps[parent].parent
    return found


class FaultKind(StrEnum):
    """What makes a recipe impossible."""

    MISSING = "missing"
    """A step requires a fact that earlier steps did not provide, or removed."""
    NO_ROLE = "no_role"
    """A step requires a model that the project does not have."""
    NO_FILE = "no_file"
    """The recipe ends without a file for the device."""


class Fault(Record, frozen=True):
    """Why a recipe cannot be run."""

    kind: FaultKind
    step: int | None
    """The step that cannot run, from 0; None for the recipe as a whole."""
    culprit: int | None
    """The step that removed what it requires."""
    message: str
    hint: str


class RecipeWalk(Record, frozen=True):
    """A recipe's steps with the facts after each. After a fault, the walk continues as if the requirement were met."""

    steps: tuple[PlannedStep, ...]
    faults: tuple[Fault, ...]
    entry: Facts
    """The facts that each model starts with."""

    def line(self, index: int) -> list[int]:
        """The steps that a step's own model comes from, the nearest first."""
        return _parents(self.steps, index)

    @property
    def obstacles(self) -> tuple[Fault, ...]:
        """Faults that prevent the steps from running; a missing device file does not."""
        return tuple(each for each in self.faults if each.kind is not FaultKind.NO_FILE)

    def joined_line(self, index: int) -> list[int]:
        """The steps that its joined models come from, without the step itself."""
        return [each for joined in self.steps[index].joined.values() for each in (joined, *self.line(joined))]

    def ancestors(self, index: int) -> list[int]:
        """All steps that a step's result depends on, of its own and of joined models, in order."""
        found: set[int] = set()
        waiting = [index]
        while waiting:
            each = self.steps[waiting.pop()]
            before = {*each.joined.values(), *(() if each.parent is None else (each.parent,))} - found
            found |= before
            waiting += before
        return sorted(found)


def plan_of(recipe: Recipe, roles: Collection[Role], entry: Facts = MODULE_ENTRY) -> Plan:
    """The plan of a recipe for a project with models in these roles, each starting with the facts in `entry`. Raises
    PlanError, which names the step that cannot run and the step at fault."""
    walk = _Walk(roles, entry)
    walk.add_all(recipe)
    if walk.faults:
        raise PlanError(walk.faults[0].message, walk.faults[0].hint)
    deployed = walk.last[Role.STUDENT]
    assert deployed is not None
    float_student = max(
        (each.index for each in walk.steps if each.role is Role.STUDENT and {Format.ONNX, Trait.FLOAT} <= each.facts),
        default=None,
    )
    if Format.ONNX in entry:
        return Plan(recipe.name, tuple(walk.steps), deployed, float_student, None)
    walk.branch_reference()
    for kind in reference_steps():
        walk.add(kind(), Role.REFERENCE)
    return Plan(recipe.name, tuple(walk.steps), deployed, float_student, len(walk.steps) - 1)


def entry_for(steps: Sequence[RecipeStep]) -> Facts:
    """The facts that steps start with if no project is known: a file if all of them work on one, else modules."""
    if steps and Trait.INTEGER in steps[0].step.contract.requires:
        return INTEGER_ENTRY
    return FILE_ENTRY if all(Format.ONNX in each.step.contract.requires for each in steps) else MODULE_ENTRY


def walk_recipe(recipe: Recipe, roles: Collection[Role], entry: Facts = MODULE_ENTRY) -> RecipeWalk:
    """Walk through a recipe and collect every reason why it cannot run."""
    walk = _Walk(roles, entry)
    walk.add_all(recipe)
    return RecipeWalk(tuple(walk.steps), tuple(walk.faults), entry)


class _Walk:
    """The state of a symbolic walk: the steps so far, the last step of each role, and the faults."""

    def __init__(self, roles: Collection[Role], entry: Facts) -> None:
        self.entry = entry
        self.steps: list[PlannedStep] = []
        self.faults: list[Fault] = []
        self.last: dict[Role, int | None] = dict.fromkeys(roles)

    def add_all(self, recipe: Recipe) -> None:
        for each in recipe.steps:
            self.add(each.step, each.role)
        if not self.facts_of(Role.STUDENT) & FILES:
            self.faults.append(
                Fault(
                    FaultKind.NO_FILE,
                    None,
                    None,
                    f"recipe '{recipe.name}' ends without a model file for the student",
                    'add [[steps]] use = "export"',
                )
            )

    def facts_of(self, role: Role) -> Facts:
        index = self.last.get(role)
        return self.entry if index is None else self.steps[index].facts

    def add(self, step: Step, role: Role) -> None:
        contract = step.contract
        index = len(self.steps)
        needs = {role: contract.requires, **contract.joins}
        for other, needed in needs.items():
            self.faults += self._faults(index, step, other, needed)
        joined = {other: last for other in contract.joins if (last := self.last.get(other)) is not None}
        have = ((self.facts_of(role) | contract.requires) & contract.preserves) | contract.provides
        self.steps.append(PlannedStep(step, role, index, self.last.get(role), joined, have))
        self.last[role] = index

    def branch_reference(self) -> None:
        """Start the reference's branch at the teacher's complete module, else at the student's."""
        whole = self._whole_module(Role.TEACHER)
        self.last[Role.REFERENCE] = self._whole_module(Role.STUDENT) if whole is None else whole

    def _whole_module(self, role: Role) -> int | None:
        """A role's last trained module before any compression."""
        found = None
        for each in self.steps:
            if each.role is role:
                if each.step.technique(None).family is not Family.TRAINING:
                    break
                found = each.index
        return found

    def _faults(self, index: int, step: Step, role: Role, needed: Facts) -> Iterator[Fault]:
        label = f"step {index + 1} {step.name()}"
        if role not in self.last and Format.ONNX in self.entry:
            text = f"{label} needs a {role}, but the project starts from an ONNX file"
            yield Fault(FaultKind.NO_ROLE, index, None, text, "choose a recipe that starts from an ONNX file: int8")
            return
        if role not in self.last:
            yield Fault(
                FaultKind.NO_ROLE,
                index,
                None,
                f"{label} needs a {role}, but edgekit.toml has none",
                f'add {role} = "model:{role}" to [model]',
            )
            return
        missing = sorted(needed - self.facts_of(role), key=lambda each: (each not in Format, each))
        if missing:
            culprit = self._taker(role, missing[0])
            yield Fault(
                FaultKind.MISSING,
                index,
                None if culprit is None else culprit.index,
                *self._explain(role, missing[0], label, culprit),
            )

    def _taker(self, role: Role, missing: Fact) -> PlannedStep | None:
        """The last step that removed a fact from a role's model; None if no step ever provided it."""
        index = self.last[role]
        while index is not None:
            parent = self.steps[index].parent
            before = self.entry if parent is None else self.steps[parent].facts
            if missing in before and missing not in self.steps[index].facts:
                return self.steps[index]
            index = parent
        return None

    def _explain(self, role: Role, missing: Fact, label: str, culprit: PlannedStep | None) -> tuple[str, str]:
        needs = f"{label} takes {MEANING[missing]}"
        if culprit is not None:
            made = next(
                (MEANING[fact] for fact in sorted(culprit.step.contract.provides - {Trait.CONVERGED})),
                "something else",
            )
            name = f"step {culprit.index + 1} {culprit.step.name()}"
            return f"{needs}, which {name} converted to {made}", f"move it before {name}"
        if missing is Format.TORCH:
            return f"{label} takes {MEANING[missing]}, but the project starts from an ONNX file", "remove the step"
        if missing is Trait.FLOAT:
            return (
                f"{needs}, but the file is quantized already",
                "start from the float model, or use the recipe as-given",
            )
        names = [kind.name() for kind in providers(missing) if role not in kind.contract.joins]
        hint = f"put {' or '.join(names)} before it" if names else "no step provides that"
        return f"{needs}, which no step before it provides for the {role}", hint


def providers(missing: Fact) -> Sequence[type[Step]]:
    """The steps that can provide a fact to a model without it, by name."""
    return [
        kind
        for _, kind in sorted(Step.registry.items())
        if missing in kind.contract.provides and missing not in kind.contract.requires
    ]
