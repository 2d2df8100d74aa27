"""Recipe x Target -> Plan: the recipe walked symbolically, every step's contract held against what it will meet.

Imports neither torch nor onnxruntime: a broken order is told before anything is trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.errors import PlanError
from edgekit.project import Project
from edgekit.recipe import Recipe
from edgekit.step import Step
from edgekit.target import Target
from edgekit.traits import Fact, Facts, Format, Role, Trait, facts

ENTRY = facts(Format.TORCH, Trait.FLOAT)
"""What an entry point gives: a module with float weights, untrained."""

_REFERENCE_STEPS = ("export", "simplify")

_MEANING: Mapping[Fact, str] = {
    Format.TORCH: "a PyTorch module",
    Format.ONNX: "an ONNX file",
    Trait.FLOAT: "a model with float weights",
    Trait.INTEGER: "a quantized model",
    Trait.CONVERGED: "a trained model",
    Trait.SHAPED: "a graph with known shapes",
    Trait.FOLDED: "a graph with folded batch norms",
    Trait.PORTABLE: "a graph of standard operators",
}


@dataclass(frozen=True)
class PlannedStep:
    index: int
    """Position in the plan, from 0."""
    step: Step
    role: Role
    parent: int | None
    """The step whose output this one takes; None is the role's entry point."""
    joined: Mapping[Role, int]
    """The steps whose outputs it reads besides."""
    facts: Facts
    """What is true of its output, by the contracts."""

    @property
    def label(self) -> str:
        """The step's name, with its role where that is not the student."""
        return self.step.name() if self.role is Role.STUDENT else f"{self.step.name()} {self.role}"


@dataclass(frozen=True)
class Plan:
    recipe: str
    target: Target
    steps: tuple[PlannedStep, ...]
    deployed: int
    """The step whose output goes to the device."""
    float_student: int
    """The last float ONNX model on the way to it."""
    reference: int
    """The uncompressed model as fp32 ONNX."""


def plan_of(recipe: Recipe, target: Target, project: Project) -> Plan:
    """The plan of a recipe for a target. Raises PlanError naming the step that cannot run and the culprit."""
    walk = _Walk(project)
    for number, each in enumerate(recipe.steps, start=1):
        walk.add(each.step, each.role, f"step {number} {each.step.name()}")
    deployed = walk.last.get(Role.STUDENT)
    if deployed is None or Format.ONNX not in walk.steps[deployed].facts:
        raise PlanError(
            f"recipe '{recipe.name}' ends without an ONNX file for the student", 'add [[steps]] use = "export"'
        )
    float_student = max(
        (each.index for each in walk.steps if each.role is Role.STUDENT and {Format.ONNX, Trait.FLOAT} <= each.facts),
        default=deployed,
    )
    walk.branch_reference()
    for name in _REFERENCE_STEPS:
        walk.add(Step.registry[name](), Role.REFERENCE, f"the reference's {name}")
    return Plan(recipe.name, target, tuple(walk.steps), deployed, float_student, len(walk.steps) - 1)


class _Walk:
    """The state of a symbolic walk: the steps so far, and each role's last one."""

    def __init__(self, project: Project) -> None:
        self.steps: list[PlannedStep] = []
        self.last: dict[Role, int | None] = {}
        if project.model.teacher:
            self.last[Role.TEACHER] = None
        self.last[Role.STUDENT] = None

    def facts_of(self, role: Role) -> Facts:
        index = self.last[role]
        return ENTRY if index is None else self.steps[index].facts

    def add(self, step: Step, role: Role, label: str) -> None:
        contract = step.contract
        self._check(role, contract.requires, label)
        for other, needed in contract.joins.items():
            self._check(other, needed, label)
        joined = {other: index for other in contract.joins if (index := self.last[other]) is not None}
        have = (self.facts_of(role) & contract.preserves) | contract.provides
        self.steps.append(PlannedStep(len(self.steps), step, role, self.last[role], joined, have))
        self.last[role] = len(self.steps) - 1

    def branch_reference(self) -> None:
        """Start the reference's branch at the teacher's last float module, else at the student's first trained one."""
        trained = [each for each in self.steps if {Format.TORCH, Trait.FLOAT, Trait.CONVERGED} <= each.facts]
        teachers = [each.index for each in trained if each.role is Role.TEACHER]
        students = [each.index for each in trained if each.role is Role.STUDENT]
        self.last[Role.REFERENCE] = teachers[-1] if teachers else students[0] if students else None

    def _check(self, role: Role, needed: Facts, label: str) -> None:
        if role not in self.last:
            raise PlanError(
                f"{label} needs a {role}, and edgekit.toml names none", f'add {role} = "model:{role}" to [model]'
            )
        missing = sorted(needed - self.facts_of(role))
        if missing:
            raise PlanError(*self._told(role, missing[0], label))

    def _told(self, role: Role, missing: Fact, label: str) -> tuple[str, str]:
        providers = sorted(name for name, kind in Step.registry.items() if missing in kind.contract.provides)
        index, took = self.last[role], None
        while index is not None and took is None:
            parent = self.steps[index].parent
            before = ENTRY if parent is None else self.steps[parent].facts
            if missing in before and missing not in self.steps[index].facts:
                took = self.steps[index]
            index = parent
        needs = f"{label} works on {_MEANING[missing]}"
        if took is not None:
            made = next(
                (_MEANING[fact] for fact in sorted(took.step.contract.provides) if fact in _MEANING), "something else"
            )
            culprit = f"step {took.index + 1} {took.step.name()}"
            return f"{needs}, which {culprit} turned into {made}", f"move it before {culprit}"
        hint = f"put {' or '.join(providers)} before it" if providers else "no step provides that"
        return f"{needs}, which no step before it gives the {role}", hint
