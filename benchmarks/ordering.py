"""Does the order of compression decide the result? python benchmarks/ordering.py [digits] [spoken] [structure]

Runs the failed pipeline (INT4, then pruning, then distillation, then graph optimization), the recommended one, control
arms and the single interactions on examples/digits and examples/spoken over several seeds, prints tables, and writes
results/ordering_*.json and the plots beside them. `structure` is the failed pipeline's own structure, a ResNet-50 and a
small network, with random weights: bytes and latency only.

    --seeds N           5 by default
    --work DIR          keep the cache there: an interrupted run goes on, a second one is quick
    --budget MINUTES    for each part: it ends with the seeds that are complete

Spoken digits are read from the folder that the variable FSDD names, or from the one in examples/spoken/edgekit.toml;
without either, generated sounds are used, and the results say so.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from ordering_arms import BUDGETS, Arms, arms
from ordering_structure import structure
from ordering_weights import mechanism

from edgekit.errors import StudyError
from edgekit.figures.conclusions import MARGIN, conclusion_on
from edgekit.host import this_host
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.report.plots import stages_plot
from edgekit.report.studies import format_interval
from edgekit.studies.results import Arm
from edgekit.studies.studying import arm_of
from edgekit.studies.trials import Trial, difference, join_trials, run_trials
from edgekit.target_files import find_target
from edgekit.wording import count_of

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
TARGET = "x86-vnni"
UNIT = "%"


class Watch(Silent):
    """A line for each trial."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def note(self, text: str) -> None:
        if ": trial " in text:
            print(f"{time.monotonic() - self.started:6.0f} s  {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["digits", "spoken", "structure"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--budget", type=float)
    chosen = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as temporary:
        work = (chosen.work or Path(temporary)).resolve()
        for part in chosen.parts:
            path = RESULTS / f"ordering_{part}.json"
            if part == "structure":
                path.write_text(json.dumps(structure(work / part), indent=1) + "\n")
                continue
            planned, project = arms(BUDGETS[part]), project_in(work / part, part)
            trials = all_trials(project, planned, range(chosen.seeds), chosen.budget)
            result = measured(part, project, planned, trials)
            path.write_text(json.dumps(result, indent=1) + "\n")
            path.with_suffix(".png").write_bytes(drawn(result, planned.pipelines))


def project_in(folder: Path, example: str) -> Project:
    """A copy of an example, with narrower students beside its own."""
    if not folder.is_dir():
        ignored = shutil.ignore_patterns(".edgekit", "dist", "__pycache__", "recordings", "study.*")
        shutil.copytree(ROOT / "examples" / example, folder, ignore=ignored)
        for name, divisor in (("half", 2), ("quarter", 4)):
            code = f"import model\n\n\ndef student():\n    return model.Student(model.STUDENT_WIDTH // {divisor})\n"
            (folder / f"{name}.py").write_text(code)
        if example == "spoken" and (place := os.environ.get("FSDD")):
            path = folder / "edgekit.toml"
            path.write_text(path.read_text().replace('["recordings/"]', f'["{Path(place).resolve()}/"]'))
    return load_project(folder)


def all_trials(project: Project, planned: Arms, seeds: Sequence[int], budget_min: float | None) -> dict[str, Trial]:
    """Every arm, with the seeds that the budget allowed; narrower students run on separate projects."""
    target, watch = find_target(TARGET), Watch()
    owners = [(project, planned.recipes)]
    for module, tables in planned.narrow.items():
        models = project.model.copy_with(student=f"{module}:student")
        owners.append((project.copy_with(model=models), tables))
    found: dict[str, list[Trial]] = {}
    end = None if budget_min is None else time.monotonic() + 60 * budget_min
    for seed in seeds:
        of_seed = []
        try:
            for owner, tables in owners:
                recipes = [recipe_from(name, steps, name) for name, steps in tables.items()]
                left = None if end is None else max(end - time.monotonic(), 0.0)
                of_seed += run_trials(owner, recipes, [seed], target, watch, left)
        except StudyError:
            if not found:
                raise
            break
        for trial in of_seed:
            found.setdefault(trial.recipe.name, []).append(trial)
    return {name: join_trials(trials) for name, trials in found.items()}


def measured(example: str, project: Project, planned: Arms, trials: dict[str, Trial]) -> dict[str, Any]:
    """Everything about one example, printed and returned."""
    some = next(iter(trials.values()))
    values: dict[str, Any] = {
        "example": example,
        "data": some.data,
        "host": this_host().cpu_name,
        "target": TARGET,
        "seeds": len(some.seeds),
        "budget": vars(BUDGETS[example]),
        "interval": "95 % for each question by itself, paired over seeds and samples, at least as wide as Student's",
        "fidelity": "native",
        "arms": {name: arm_of(trial, UNIT).to_json() for name, trial in trials.items()},
        "mechanism": {name: mechanisms(project, trials[name]) for name in planned.cascades},
    }
    data = f" ({some.data})" if some.data else ""
    print(f"\n## {example}{data}: {count_of(len(some.seeds), 'seed')}, {values['host']}\n")
    print_stages(planned, trials)
    print_mechanisms(values, planned)
    values["comparisons"] = compared(planned, trials)
    return values


def mechanisms(project: Project, trial: Trial) -> list[dict[str, float]]:
    """For each stage of the teacher, the means over seeds of the weight figures."""
    from edgekit.training.modules import saved_module
    from edgekit.traits import Role

    found = []
    stages = [i for i, each in enumerate(trial.recipe.steps) if each.role is Role.TEACHER]
    for stage in stages:
        rows = [
            mechanism(saved_module(project, run[stage].artifact), saved_module(project, run[0].artifact)).to_json()
            for run in trial.runs
        ]
        found.append({key: float(np.mean([row[key] for row in rows])) for key in rows[0]})
    return found


def print_stages(planned: Arms, trials: dict[str, Trial]) -> None:
    print(
        "| pipeline: accuracy in % after every stage (native), and the final file (static) | | bytes |\n|---|---|---|"
    )
    for name in planned.pipelines:
        print(f"| **{name}** | | {trials[name].bytes:,} |")
        for stage in arm_of(trials[name], UNIT).stages:
            if stage.metric is not None and stage.step.use not in ("export", "simplify", "fuse"):
                print(f"| {stage.step.label} | {format_interval(stage.metric, UNIT)} | |")


def print_mechanisms(values: dict[str, Any], planned: Arms) -> None:
    print(
        "\n| the teacher after | rank correlation of w | levels | max/std | zeros | ties |\n|---|---|---|---|---|---|"
    )
    for name in planned.cascades:
        for stage, row in zip(values["arms"][name]["stages"], values["mechanism"][name], strict=False):
            figures = f"{row['rank_correlation']:.3f} | {row['levels']:.0f} | {row['range']:.2f}"
            print(f"| {name}: {stage['step']['use']} | {figures} | {row['zeros']:.2f} | {row['ties']:.2f} |")


def compared(planned: Arms, trials: dict[str, Trial]) -> list[dict[str, Any]]:
    """Each question with its answer: points by which the first arm exceeds the second."""
    print("\n| question | first arm | second arm | points, 95 % each | conclusion |\n|---|---|---|---|---|")
    found = []
    for question in planned.questions:
        first, second = trials[question.first], trials[question.second]
        apart = difference(first, second).interval()
        conclusion = conclusion_on(apart, MARGIN)
        arms = f"{question.first} {first.mean().mean:.2f} | {question.second} {second.mean().mean:.2f}"
        print(f"| {question.text} | {arms} | {apart} | {conclusion} |")
        asked = {"question": question.text, "codes": question.codes, "first": question.first, "second": question.second}
        found.append({**asked, **apart.to_json(), "conclusion": conclusion})
    return found


def drawn(values: dict[str, Any], pipelines: Sequence[str]) -> bytes:
    """The plot of the pipelines in the results, without the stages that only convert the network."""
    title = f"{values['example']}: {count_of(values['seeds'], 'seed')}, {values['host']} (native)"
    title += f", {values['data']}" if values["data"] else ""
    lines = []
    for name in pipelines:
        arm: Arm = msgspec.convert(values["arms"][name], Arm)
        stages = tuple(stage for stage in arm.stages if stage.step.use not in ("export", "simplify", "fuse"))
        lines.append(arm.copy_with(stages=stages))
    return stages_plot(lines, UNIT, title, "png")


if __name__ == "__main__":
    main()
