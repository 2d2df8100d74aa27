"""A target with the requested runtime or, for the fastest, with each runtime that it can carry."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.builds.runtime_choice import RuntimeTrial
from edgekit.errors import EdgekitError, TargetError
from edgekit.host import this_host
from edgekit.planning.plan import Plan, plan_of
from edgekit.planning.recipe import Recipe
from edgekit.planning.runtime_fit import fit_to_runtime
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Runner
from edgekit.runtimes.choice import ALL, target_runtimes
from edgekit.runtimes.opening import installed_runtime
from edgekit.target import Runtime, Target
from edgekit.tflite.schema import schema
from edgekit.traits import Format

BEST = "best"
"""The word that requests the fastest runtime."""


@dataclass(frozen=True)
class RuntimeVariant:
    """A target with one of its runtimes."""

    target: Target
    recipes: tuple[Recipe, ...]
    """The recipes fitted to it, each the fallback of the one before."""
    plans: tuple[Plan, ...]
    runner: Runner | None
    """Where it is verified, if that was requested."""


@dataclass(frozen=True)
class RuntimeVariants:
    """What is built for a target: one runtime, or several of which the fastest is kept."""

    all: tuple[RuntimeVariant, ...]
    left: tuple[RuntimeTrial, ...] = ()
    """Runtimes that cannot be tried on this machine."""


def variants_for(
    project: Project, target: Target, recipes: Sequence[Recipe], runtime: str, runner: str, progress: Progress
) -> RuntimeVariants:
    """The variants of a target, its own runtime first. Raises TargetError for a runtime that the target does not list,
    and the error that prevents a build for the requested or the target's own runtime."""

    def variant(chosen: Runtime) -> RuntimeVariant:
        on = target.on(chosen)
        adapted = tuple(fit_to_runtime(each, on) for each in recipes)
        plans = tuple(plan_of(each, project.roles, project.entry_facts) for each in adapted)
        if any(Format.TFLITE in each.facts for plan in plans for each in plan.steps):
            schema()  # otherwise the last step would fail after all the training
        if chosen.spec.own_arithmetic or on.is_this(this_host()):
            installed_runtime(chosen.name)
        return RuntimeVariant(on, adapted, plans, runner_for(on, runner, progress) if runner else None)

    if runtime != BEST:
        if runtime == ALL:
            raise TargetError("a build takes one runtime", f"name it, or select the fastest: --runtime {BEST}")
        (only,) = target_runtimes([runtime] if runtime else [], target, BEST)
        return RuntimeVariants((variant(only),))
    found, left = [variant(target.runtime)], []
    for other in target.other_runtimes:
        try:
            made = variant(other)
            if made.runner is None:
                runner_for(made.target)
            found.append(made)
        except EdgekitError as error:
            set_up = error.hint == f"edgekit setup {target.id}"
            hint = f"edgekit setup {target.id} --runtimes {other.name}" if set_up else error.hint
            left.append(RuntimeTrial(other, False, f"{error.message}; {hint}"))
    return RuntimeVariants(tuple(found), tuple(left))
