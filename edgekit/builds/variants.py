"""A target with the runtime that is asked for; for the fastest, with each that it can carry."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.builds.runtime_choice import RuntimeTried
from edgekit.errors import EdgekitError, TargetError
from edgekit.host import this_host
from edgekit.planning.plan import Plan, plan_of
from edgekit.planning.recipe import Recipe
from edgekit.planning.runtime_fit import on_runtime
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Runner
from edgekit.runtimes.choice import ALL, target_runtimes
from edgekit.runtimes.opening import named_runtime
from edgekit.target import Runtime, Target
from edgekit.tflite.schema import schema
from edgekit.traits import Format

BEST = "best"
"""The runtime to build for that is the fastest."""


@dataclass(frozen=True)
class Variant:
    """A target with one of its runtimes."""

    target: Target
    recipes: tuple[Recipe, ...]
    """As they run for it, each the next one's stand-in."""
    plans: tuple[Plan, ...]
    runner: Runner | None
    """Where it is verified, if that is told."""


@dataclass(frozen=True)
class Variants:
    """What is to be built for a target: for one runtime, or for several of which one is kept."""

    all: tuple[Variant, ...]
    left: tuple[RuntimeTried, ...] = ()
    """Runtimes that cannot be tried here."""


def variants_for(
    project: Project, target: Target, recipes: Sequence[Recipe], runtime: str, runner: str, progress: Progress
) -> Variants:
    """The variants of a target, its own runtime's first. Raises TargetError for a runtime that it does not name, and
    what keeps the one runtime, or the target's own, from being built for."""

    def variant(chosen: Runtime) -> Variant:
        on = target.on(chosen)
        adapted = tuple(on_runtime(each, on) for each in recipes)
        plans = tuple(plan_of(each, project.roles, project.entry_facts) for each in adapted)
        if any(Format.TFLITE in each.facts for plan in plans for each in plan.steps):
            schema()  # without it the last step would fail, after all the training
        if chosen.spec.own_arithmetic or on.is_this(this_host()):
            named_runtime(chosen.name)
        return Variant(on, adapted, plans, runner_for(on, runner, progress) if runner else None)

    if runtime != BEST:
        if runtime == ALL:
            raise TargetError("a build is for one runtime", f"name it, or let the fastest be found: --runtime {BEST}")
        (only,) = target_runtimes([runtime] if runtime else [], target, BEST)
        return Variants((variant(only),))
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
            left.append(RuntimeTried(other, False, f"{error.message}; {hint}"))
    return Variants(tuple(found), tuple(left))
