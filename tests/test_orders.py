"""Orders that the contracts allow, drawn at random, really run; what each step leaves is what it declares."""

import shutil
from collections import Counter

import numpy as np
import pytest

from edgekit.contract.step import Step
from edgekit.errors import PlanError
from edgekit.execution.driver import Driver, StepRun
from edgekit.formats import inspect_file
from edgekit.model.facts import observed_facts
from edgekit.model.reading import load_model
from edgekit.model.sample import random_inputs
from edgekit.planning.plan import PlannedStep, plan_of
from edgekit.planning.recipe import Recipe
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.runtimes.opening import open_session
from edgekit.runtimes.ort import host_outputs, session_outputs
from edgekit.steps.train import Train
from edgekit.target_files import find_target
from edgekit.training.modules import saved_module, untrained_module
from edgekit.traits import Format, Role, Trait
from tests.conftest import TINY
from tests.strategies import accepted_order
from tests.tflite.models import RUNTIMES

FEW = (6, 31, 116, 127, 213, 353, 469, 840, 879, 993)
"""Seeds whose orders hold every step at least twice, in few steps."""
MANY = tuple(each for each in range(80) if each not in FEW)
RPI4 = find_target("rpi4")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny project with weights to load, and a cache that all orders share."""
    folder = tmp_path_factory.mktemp("orders") / "tiny"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    driver = Driver(load_project(folder), Silent())
    for role in (Role.TEACHER, Role.STUDENT):
        trained = PlannedStep(Train(epochs=1), role, 0, None, {}, frozenset())
        shutil.copy(driver.step_run(RPI4, trained, [], 1).artifact.path, folder / f"{role}.safetensors")
    text = (folder / "edgekit.toml").read_text()
    weights = 'teacher_weights = "teacher.safetensors"\nstudent_weights = "student.safetensors"\n'
    (folder / "edgekit.toml").write_text(text.replace("[model]\n", f"[model]\n{weights}"))
    return load_project(folder)


def test_the_orders_drawn_hold_every_step_on_either_model() -> None:
    drawn = Counter((each.step.name(), each.role) for seed in (*FEW, *MANY) for each in accepted_order(seed).steps)
    assert {name for name, _ in drawn} == set(Step.registry)
    few = Counter(name for seed in FEW for name in {each.step.name() for each in accepted_order(seed).steps})
    assert few.keys() == set(Step.registry) and min(few.values()) > 1, "the few hold each step twice, too"
    assert {("prune", Role.TEACHER), ("weight-only", Role.TEACHER), ("qat", Role.STUDENT)} <= drawn.keys()
    assert len({tuple(accepted_order(seed).steps) for seed in (*FEW, *MANY)}) > 75


@pytest.mark.parametrize("seed", [*FEW, *(pytest.param(each, marks=pytest.mark.slow) for each in MANY)])
def test_an_order_that_the_contracts_allow_runs(seed: int, project: Project) -> None:
    recipe = accepted_order(seed)
    if "ai_edge_litert" not in RUNTIMES and any(Format.TFLITE in each.step.contract.provides for each in recipe.steps):
        pytest.skip("the extra litert, which writes .tflite files, is not installed")
    plan = plan_of(recipe, project.roles)
    driver = Driver(project, Silent())
    runs: list[StepRun] = []
    for planned in plan.steps:
        runs.append(driver.step_run(RPI4, planned, runs, len(plan.steps)))
        _hold(planned, runs[-1], project)
    deployed, reference = (runs[index].artifact.path for index in (plan.deployed, plan.reference))
    inputs = random_inputs(reference)
    outputs = session_outputs(open_session(deployed), inputs)
    assert [each.shape for each in outputs] == [each.shape for each in host_outputs(reference, inputs)]
    assert all(np.isfinite(each).all() for each in outputs)


def _hold(planned: PlannedStep, run: StepRun, project: Project) -> None:
    """What can be seen of a step's output, against what its contract declares."""
    if Format.TORCH in planned.facts:
        module, own = saved_module(project, run.artifact), untrained_module(project, run.artifact.role)
        assert all(each.is_floating_point() and each.isfinite().all() for each in module.parameters())
        assert Trait.FLOAT in planned.facts and Trait.INTEGER not in planned.facts
        shapes = [[each.shape for each in some.parameters()] for some in (module, own)]
        assert (Trait.UNCUT in planned.facts) == (shapes[0] == shapes[1])
        return
    if Format.TFLITE in planned.facts:
        assert set(inspect_file(run.artifact.path).traits) == planned.facts & {
            Trait.INTEGER,
            Trait.FLOAT,
            Format.TFLITE,
        }
        return
    seen = observed_facts(load_model(run.artifact.path))
    assert planned.facts - {Trait.CONVERGED} <= seen
    assert (Trait.INTEGER in seen) == (Trait.INTEGER in planned.facts)


@pytest.mark.parametrize("seed", FEW)
def test_the_same_order_with_a_step_too_early_is_refused(seed: int, project: Project) -> None:
    """The student's export moved to the front leaves no module to the steps on modules."""
    steps = list(accepted_order(seed).steps)
    exported = next(i for i, each in enumerate(steps) if each.step.name() == "export" and each.role is Role.STUDENT)
    moved = [steps[exported], *steps[:exported], *steps[exported + 1 :]]
    modules = [each for each in steps if each.role is Role.STUDENT and Format.TORCH in each.step.contract.requires]
    if len(modules) == 1:
        plan_of(Recipe("moved", tuple(moved)), project.roles)
    else:
        with pytest.raises(PlanError, match="which step 1 export converted to an ONNX file"):
            plan_of(Recipe("moved", tuple(moved)), project.roles)
