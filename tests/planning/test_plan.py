import subprocess
import sys
from collections.abc import Collection
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.errors import PlanError
from edgekit.planning.plan import Plan, plan_of, walk_recipe
from edgekit.planning.recipe import Recipe, RecipeStep, find_recipe
from edgekit.project.project import Datasets, Models, Project
from edgekit.traits import FILES, MODULE_ENTRY, Facts, Role, Trait
from tests.strategies import accepted_order, recipes

load_all()


def planned(project: Project, *names: str) -> Plan:
    """The plan of steps by name; `train` works on the teacher when distill follows."""
    steps = tuple(
        RecipeStep(Step.registry[name](), Role.TEACHER if name == "train" and "distill" in names else Role.STUDENT)
        for name in names
    )
    return plan_of(Recipe("test", steps), project.roles)


FULL = ("train", "distill", "prune", "export", "simplify", "quantize", "fuse")


def test_the_recommended_order_is_planned_with_the_reference_beside_it(tiny: Project) -> None:
    plan = planned(tiny, *FULL)
    assert [each.label for each in plan.steps] == [
        "train teacher", "distill", "prune", "export", "simplify", "quantize", "fuse",
        "export reference", "simplify reference",
    ]  # fmt: skip
    assert plan.steps[plan.deployed].step.name() == "fuse"
    assert plan.line(plan.deployed) == [each.index for each in plan.steps if each.role is Role.STUDENT]
    assert plan.steps[plan.float_student].step.name() == "simplify"
    assert plan.steps[1].joined == {Role.TEACHER: 0}
    assert plan.steps[7].parent == 0, "the reference is the teacher"


def test_a_teacher_becomes_the_reference_as_soon_as_it_is_there(tiny: Project) -> None:
    assert [each.index for each in planned(tiny, *FULL).order()] == [0, 7, 8, 1, 2, 3, 4, 5, 6]
    alone = planned(tiny, "train", "prune", "export")
    assert alone.order() == list(alone.steps), "the student's own export comes first"


def test_without_a_teacher_the_reference_is_the_student_before_compression(tiny: Project) -> None:
    alone = tiny.copy_with(model=Models(student="model:student"))
    plan = planned(alone, "train", "prune", "export", "simplify")
    assert plan.steps[4].parent == 0
    assert plan.float_student == plan.deployed == 3


@pytest.mark.parametrize(
    ("names", "parent"),
    [
        (("load", "train", "prune", "export"), 1),
        (("train", "sparsify", "train", "export"), 0),
        (("train", "qat", "export"), 0),
        (("train", "quantize-weights", "prune", "export"), 0),
        (("train", "export", "simplify", "quantize"), 0),
    ],
)
def test_the_reference_is_the_last_trained_module_before_anything_is_given_up(
    tiny: Project, names: tuple[str, ...], parent: int
) -> None:
    alone = tiny.copy_with(model=Models(student="model:student"))
    plan = planned(alone, *names)
    assert plan.steps[len(names)].role is Role.REFERENCE and plan.steps[len(names)].parent == parent


def test_a_damaged_teacher_is_no_reference() -> None:
    plan = plan_of(find_recipe("failed-int4-first", Path()), {Role.TEACHER, Role.STUDENT})
    assert plan.steps[-2].role is Role.REFERENCE and plan.steps[-2].parent == 0


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        (
            ("train", "distill", "export", "prune"),
            "step 4 prune takes a PyTorch module, which step 3 export converted to an ONNX file",
            "move it before step 3 export",
        ),
        (
            ("train", "distill", "export", "simplify", "fuse", "quantize"),
            "step 6 quantize takes a graph of standard operators, which step 5 fuse converted to",
            "move it before step 5 fuse",
        ),
        (
            ("train", "distill", "export", "quantize"),
            "step 4 quantize takes a graph with folded batch norms, which no step before it provides for the student",
            "put simplify before it",
        ),
        (
            ("train", "distill", "export", "simplify", "quantize", "quantize"),
            "step 6 quantize takes a model with float weights, which step 5 quantize converted to a quantized model",
            "move it before step 5 quantize",
        ),
        (
            ("train", "prune", "load", "export"),
            "step 3 load takes a module in the shapes of its entry point, which step 2 prune converted to something",
            "move it before step 2 prune",
        ),
        (("distill",), "step 1 distill takes a trained model", "put"),
        (("train", "distill"), "ends without a model file", "export"),
    ],
)
def test_a_broken_order_names_the_culprit(tiny: Project, names: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(PlanError) as raised:
        planned(tiny, *names)
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_a_missing_teacher_is_reported(tiny: Project) -> None:
    alone = tiny.copy_with(model=Models(student="model:student"))
    with pytest.raises(PlanError, match="needs a teacher"):
        planned(alone, "distill", "export")


def runs(names: tuple[str, ...]) -> bool:
    """By the contracts alone, the formula of `Contract` walked by hand for one chain."""
    have: dict[Role, Facts] = {Role.TEACHER: MODULE_ENTRY, Role.STUDENT: MODULE_ENTRY}
    for name in names:
        role = Role.TEACHER if name == "train" and "distill" in names else Role.STUDENT
        contract = Step.registry[name].contract
        if not contract.requires <= have[role] or any(
            not need <= have[other] for other, need in contract.joins.items()
        ):
            return False
        have[role] = (have[role] & contract.preserves) | contract.provides
    return bool(FILES & have[Role.STUDENT])


def possible(recipe: Recipe, roles: Collection[Role]) -> bool:
    """By the declarations alone, both models and any step."""
    have: dict[Role, Facts] = dict.fromkeys(roles, MODULE_ENTRY)
    for each in recipe.steps:
        contract = each.step.contract
        needs = [(each.role, contract.requires), *contract.joins.items()]
        if any(role not in have or not needed <= have[role] for role, needed in needs):
            return False
        have[each.role] = (have[each.role] & contract.preserves) | contract.provides
    return Role.STUDENT in have and bool(FILES & have[Role.STUDENT])


@given(recipes(), st.sampled_from([{Role.STUDENT}, {Role.STUDENT, Role.TEACHER}]))
def test_the_walk_accepts_exactly_what_the_declarations_allow(recipe: Recipe, roles: set[Role]) -> None:
    walk = walk_recipe(recipe, roles)
    assert (not walk.faults) == possible(recipe, roles)
    assert len(walk.steps) == len(recipe.steps)


@given(st.integers(0, 10_000))
def test_what_is_drawn_by_the_declarations_is_accepted_and_a_step_less_may_not_be(seed: int) -> None:
    recipe, both = accepted_order(seed), {Role.TEACHER, Role.STUDENT}
    assert not walk_recipe(recipe, both).faults
    for index in range(len(recipe.steps)):
        less = Recipe("less", recipe.steps[:index] + recipe.steps[index + 1 :])
        assert (not walk_recipe(less, both).faults) == possible(less, both)


def test_every_order_of_the_road_is_judged_by_the_contracts(tiny: Project) -> None:
    orders = list(permutations(FULL))
    possible = []
    for names in orders:
        try:
            planned(tiny, *names)
            possible.append(names)
        except PlanError:
            pass
    assert possible == [names for names in orders if runs(names)]
    assert FULL in possible
    assert all(names.index("export") < names.index("simplify") < names.index("quantize") for names in possible)
    assert all(names.index("prune") < names.index("export") for names in possible)


@given(st.lists(st.sampled_from(sorted(set(FULL) | {"load"})), max_size=8))
def test_no_plan_holds_a_step_whose_needs_are_not_met(names: list[str]) -> None:
    project = Project(
        root=Path("/nowhere"),
        name="p",
        model=Models(teacher="m:t", student="m:s"),
        data=Datasets(train="d:t", evaluation="d:e"),
    )
    try:
        plan = planned(project, *names)
    except PlanError as error:
        assert error.hint
        return
    for each in plan.steps:
        before = MODULE_ENTRY if each.parent is None else plan.steps[each.parent].facts
        assert each.step.contract.requires <= before
    assert Trait.FLOAT in plan.steps[plan.reference].facts


def test_the_planner_imports_neither_torch_nor_onnxruntime() -> None:
    script = "import sys, edgekit.planning.plan; from edgekit.contract.registry import load_all; "
    script += "load_all(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "onnxruntime", "onnx", "numpy", "neural_compressor", "tflite_runtime"}
