"""Trials: recipes run on a project over several seeds, step by step, and compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.errors import PlanError, StudyError
from edgekit.execution.driver import Driver, StepRun
from edgekit.figures.intervals import Estimate, Interval, estimate_difference, mean_of
from edgekit.formats import inspect_file
from edgekit.planning.plan import RecipeWalk, walk_recipe
from edgekit.planning.recipe import Recipe
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.studies.pace import Budget, OutOfTime, Pace
from edgekit.target import Target
from edgekit.traits import Format

if TYPE_CHECKING:
    from edgekit.arrays import Array


@dataclass(frozen=True)
class Trial:
    """The results of a recipe with each seed."""

    recipe: Recipe
    walked: RecipeWalk
    seeds: tuple[int, ...]
    runs: tuple[tuple[StepRun, ...], ...]
    """The steps for each seed."""
    scores: tuple["Array | None", ...]
    """For each seed, the last step's scores, shape (samples,)."""
    data: str
    """A remark on the evaluation data, from the data itself."""

    @property
    def values(self) -> list[float]:
        """The last step's metric, seed by seed."""
        return self.values_at(len(self.recipe.steps) - 1)

    def values_at(self, stage: int) -> list[float]:
        """A step's metric, seed by seed; empty if its model is not trained."""
        return [run[stage].metric for run in self.runs if run[stage].metric is not None]  # type: ignore[misc]

    @property
    def bytes(self) -> int:
        """The size of the last step's output, the median over seeds."""
        sizes = sorted(run[-1].artifact.path.stat().st_size for run in self.runs)
        return sizes[len(sizes) // 2]

    def macs(self) -> int | None:
        """The multiply-accumulates of the last step's file with the first seed; None if it is not a file."""
        artifact = self.runs[0][-1].artifact
        return None if artifact.format is Format.TORCH else inspect_file(artifact.path).macs

    @property
    def has_scores(self) -> bool:
        """Whether there is a score for each evaluation sample."""
        return all(each is not None for each in self.scores)

    def mean(self) -> Interval:
        """The last step's metric."""
        return mean_of(self.values)


def run_trials(
    project: Project,
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    target: Target,
    progress: Progress,
    budget_s: float | None = None,
) -> tuple[Trial, ...]:
    """Run each recipe with each seed. Finished runs come from the cache, so that an interrupted trial resumes.

    A recipe may end with a module. After `budget_s` seconds the work ends, and the trials have the seeds with which
    every recipe was run. Raises PlanError if a step cannot follow the ones before it, StudyError if the time ends
    before the first seed is complete.
    """
    budget = Budget(progress, budget_s)
    plans = [_possible(recipe, project) for recipe in recipes]
    pace = Pace({(seed, *piece): size for seed in seeds for plan in plans for piece, size in _work(plan)})
    runs: list[list[_Run]] = []
    try:
        for seed in seeds:
            driver = Driver(project.copy_with(seed=seed), budget)
            runs.append([])
            for recipe, plan in zip(recipes, plans, strict=True):
                text = f"{recipe.name}, seed {seed}: trial {len(runs[-1]) + 1} of {len(recipes)}"
                budget.note(", ".join(each for each in (text, pace.remaining()) if each))
                runs[-1].append(_run(driver, plan, target))
                for (piece, _), step in zip(_work(plan), runs[-1][-1].steps, strict=True):
                    pace.done((seed, *piece), step.seconds, cached=step.cached)
    except OutOfTime:
        runs.pop()
        if not runs:
            raise StudyError(
                f"the budget of {(budget_s or 0) / 60:g} minutes was spent before the first seed ended",
                "run again to continue; or give more minutes, or fewer arms",
            ) from None
    trials = zip(recipes, plans, zip(*runs, strict=True), strict=True)
    return tuple(
        Trial(
            recipe,
            plan,
            tuple(seeds[: len(runs)]),
            tuple(run.steps for run in of_recipe),
            tuple(run.scores for run in of_recipe),
            of_recipe[0].data,
        )
        for recipe, plan, of_recipe in trials
    )


def join_trials(trials: Sequence[Trial]) -> Trial:
    """One trial from trials of the same recipe with different seeds."""
    return replace(
        trials[0],
        seeds=tuple(seed for each in trials for seed in each.seeds),
        runs=tuple(run for each in trials for run in each.runs),
        scores=tuple(scores for each in trials for scores in each.scores),
    )


@dataclass(frozen=True)
class _Run:
    steps: tuple[StepRun, ...]
    scores: "Array | None"
    """Of the last step."""
    data: str


def _run(driver: Driver, plan: RecipeWalk, target: Target) -> _Run:
    done: list[StepRun] = []
    for planned in plan.steps:
        done.append(driver.step_run(target, planned, done, len(plan.steps)))
    last = done[-1].artifact
    return _Run(tuple(done), driver.scores(last, target), driver.about(last, target))


def _work(plan: RecipeWalk) -> list[tuple[tuple[str, ...], int]]:
    """For each step, everything that its result depends on, and its size in epochs."""
    lines = ([*plan.ancestors(at), at] for at in range(len(plan.steps)))
    return [
        (
            tuple(f"{plan.steps[index].role} {plan.steps[index].step}" for index in line),
            max(getattr(planned.step, "epochs", 1), 1),
        )
        for line, planned in zip(lines, plan.steps, strict=True)
    ]


def difference(first: Trial, second: Trial) -> Estimate:
    """The first trial's metric minus the second's, in its unit, paired over seeds and, if both have scores for each
    sample, over samples."""
    if not (first.has_scores and second.has_scores):
        return estimate_difference(first.values, second.values)
    return estimate_difference(first.values, second.values, first.scores, second.scores)


def _possible(recipe: Recipe, project: Project) -> RecipeWalk:
    plan = walk_recipe(recipe, project.roles, project.entry_facts)
    if plan.obstacles:
        raise PlanError(f"'{recipe.name}': {plan.obstacles[0].message}", plan.obstacles[0].hint)
    return plan
