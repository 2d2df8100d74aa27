"""Trials: recipes run on a project over several seeds, stage by stage, and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.errors import PlanError
from edgekit.execution.driver import Driver, StepRun
from edgekit.planning.plan import Kind, Walked, walked
from edgekit.planning.recipe import Recipe
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.study.intervals import Interval, mean_of, paired_difference
from edgekit.target import Target
from edgekit.traits import Role

if TYPE_CHECKING:
    from edgekit.arrays import Array


@dataclass(frozen=True)
class Trial:
    """A recipe as it went with each seed."""

    recipe: Recipe
    walked: Walked
    runs: tuple[tuple[StepRun, ...], ...]
    """For each seed, the steps."""
    scores: tuple["Array | None", ...]
    """For each seed, the last step's scores, one a sample."""

    @property
    def values(self) -> list[float]:
        """The last step's metric, seed by seed."""
        return self.values_at(len(self.recipe.steps) - 1)

    def values_at(self, stage: int) -> list[float]:
        """A step's metric, seed by seed; empty where it leaves nothing trained."""
        return [run[stage].metric for run in self.runs if run[stage].metric is not None]  # type: ignore[misc]

    @property
    def bytes(self) -> int:
        """The size of what the last step left, the median over seeds."""
        sizes = sorted(run[-1].artifact.path.stat().st_size for run in self.runs)
        return sizes[len(sizes) // 2]

    def mean(self) -> Interval:
        """The last step's metric."""
        return mean_of(self.values)


def tried(
    project: Project, recipes: Sequence[Recipe], seeds: Sequence[int], target: Target, progress: Progress
) -> tuple[Trial, ...]:
    """Run each recipe with each seed; what was run before comes from the cache, so an interrupted trial goes on.

    A recipe may end with a module. Raises PlanError where a step cannot follow the ones before it.
    """
    plans = [_possible(recipe, project) for recipe in recipes]
    drivers = [Driver(project.changed(seed=seed), progress) for seed in seeds]
    runs: list[list[tuple[StepRun, ...]]] = [[] for _ in recipes]
    scores: list[list[Array | None]] = [[] for _ in recipes]
    for number, driver in enumerate(drivers):
        for position, (recipe, plan) in enumerate(zip(recipes, plans, strict=True)):
            told = f"seed {seeds[number]}: {recipe.name}"
            progress.advanced("trials", number * len(recipes) + position, len(recipes) * len(seeds), told)
            done: list[StepRun] = []
            for planned in plan.steps:
                done.append(driver.step_run(target, planned, done, len(plan.steps)))
            runs[position].append(tuple(done))
            scores[position].append(driver.scores(done[-1].artifact, target))
    return tuple(
        Trial(recipe, plan, tuple(run), tuple(score))
        for recipe, plan, run, score in zip(recipes, plans, runs, scores, strict=True)
    )


def difference(first: Trial, second: Trial) -> Interval:
    """How much higher the first trial's metric is, in its unit, paired over seeds and, where it can be, samples."""
    if any(each is None for each in (*first.scores, *second.scores)):
        return paired_difference(first.values, second.values)
    return paired_difference(first.values, second.values, first.scores, second.scores)


def _possible(recipe: Recipe, project: Project) -> Walked:
    plan = walked(recipe, project.roles, project.entry_facts)
    faults = [each for each in plan.faults if each.kind is not Kind.NO_FILE]
    if faults:
        raise PlanError(f"'{recipe.name}': {faults[0].message}", faults[0].hint)
    if not any(each.role is Role.STUDENT or each.role is Role.TEACHER for each in plan.steps):
        raise PlanError(f"'{recipe.name}' has no steps", "name at least one")
    return plan
