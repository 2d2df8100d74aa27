"""Does the order of compression decide the result? python benchmarks/ordering.py [digits] [spoken]

Runs the failed pipeline (INT4, then pruning, then distillation, then graph optimization), the recommended one, control
arms and the single interactions on examples/digits and examples/spoken over several seeds, prints tables and writes
results/ordering_*.json.

    --seeds N     5 by default
    --work DIR    keep the cache there: an interrupted run goes on, a second one is quick

Spoken digits are read from examples/spoken/recordings, or from the folder that the variable FSDD names.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ordering_arms import BUDGETS, Arms, arms

from edgekit.host import this_host
from edgekit.planning.recipe import Recipe, recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.studies.trials import Trial, difference, tried
from edgekit.target import find_target

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
TARGET = "x86-vnni"


class Watch(Silent):
    """A line for each trial."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def note(self, text: str) -> None:
        if ": trial " in text:
            print(f"{time.monotonic() - self.started:6.0f} s  {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["digits", "spoken"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgekit-") as temporary:
        work = (chosen.work or Path(temporary)).resolve()
        for part in chosen.parts:
            if part == "spoken" and recordings() is None:
                print("\nspoken: not run: put the recordings into examples/spoken/recordings, or set FSDD\n")
                continue
            told = measured(part, project_in(work / part, part), chosen.seeds)
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"ordering_{part}.json").write_text(json.dumps(told, indent=1) + "\n")


def recordings() -> Path | None:
    """The folder of the spoken digits, if there is one."""
    own = ROOT / "examples" / "spoken" / "recordings"
    named = os.environ.get("FSDD")
    return Path(named) if named else own if own.is_dir() else None


def project_in(folder: Path, example: str) -> Project:
    """A copy of an example, with narrower students beside its own."""
    if not folder.is_dir():
        ignored = shutil.ignore_patterns(".edgekit", "dist", "__pycache__", "recordings")
        shutil.copytree(ROOT / "examples" / example, folder, ignore=ignored)
        for name, divisor in (("half", 2), ("quarter", 4)):
            code = f"import model\n\n\ndef student():\n    return model.Student(model.STUDENT_WIDTH // {divisor})\n"
            (folder / f"{name}.py").write_text(code)
        if example == "spoken":
            (folder / "recordings").symlink_to(recordings() or "", target_is_directory=True)
    return load_project(folder)


def measured(example: str, project: Project, seeds: int) -> dict[str, Any]:
    """Everything about one example, printed and returned."""
    planned = arms(BUDGETS[example])
    trials = dict(all_trials(project, planned, range(seeds)))
    told: dict[str, Any] = {
        "example": example,
        "host": this_host().cpu_name,
        "seeds": seeds,
        "budget": vars(BUDGETS[example]),
        "interval": "95 %, paired over seeds and test samples",
        "fidelity": "native",
        "arms": {name: trial_json(trial) for name, trial in trials.items()},
        "mechanism": {name: mechanisms(project, trials[name]) for name in planned.cascades},
    }
    print_cascades(example, told, planned, seeds)
    told["comparisons"] = compared(planned, trials)
    return told


def all_trials(project: Project, planned: Arms, seeds: range) -> Any:
    """(name, trial) of every arm; those of narrower students run on projects of their own."""
    target = find_target(TARGET)
    owners = [(project, planned.recipes)]
    for module, tables in planned.narrow.items():
        models = project.model.changed(student=f"{module}:student")
        owners.append((project.changed(model=models), tables))
    for owner, tables in owners:
        recipes: list[Recipe] = [recipe_from(name, steps, name) for name, steps in tables.items()]
        for trial in tried(owner, recipes, list(seeds), target, Watch()):
            yield trial.recipe.name, trial


def trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "steps": [
            {"use": each.step.name(), "role": each.role, "options": each.step.options()} for each in trial.recipe.steps
        ],
        "stages": [trial.values_at(stage) for stage in range(len(trial.recipe.steps))],
        "values": trial.values,
        "mean": trial.mean().to_json(),
        "bytes": trial.bytes,
    }


def mechanisms(project: Project, trial: Trial) -> list[dict[str, float]]:
    """For each stage of the teacher, the means over seeds of what became of its weights."""
    from edgekit.training.mechanism import mechanism
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


def print_cascades(example: str, told: dict[str, Any], planned: Arms, seeds: int) -> None:
    print(f"\n## {example}, {seeds} seeds, {this_host().cpu_name}: accuracy in % after every stage (native)\n")
    for name in (*planned.pipelines, *planned.cascades):
        arm = told["arms"][name]
        stages = [
            f"{step['use']} {np.mean(values):.2f}"
            for step, values in zip(arm["steps"], arm["stages"], strict=True)
            if values
        ]
        print(f"- {name}: {' -> '.join(stages)}; {arm['bytes']:,} B")
    print(
        "\n| the teacher after | rank correlation of w | levels | max/std | zeros | ties |\n|---|---|---|---|---|---|"
    )
    for name in planned.cascades:
        for step, row in zip(told["arms"][name]["steps"], told["mechanism"][name], strict=False):
            figures = f"{row['rank_correlation']:.3f} | {row['levels']:.0f} | {row['range']:.2f}"
            print(f"| {name}: {step['use']} | {figures} | {row['zeros']:.2f} | {row['ties']:.2f} |")


def compared(planned: Arms, trials: dict[str, Trial]) -> list[dict[str, Any]]:
    """Each question with its answer: points by which the first arm is better than the second."""
    print("\n| question | first arm | second arm | points, 95 % | apart |\n|---|---|---|---|---|")
    found = []
    for question, first, second in planned.questions:
        apart = difference(trials[first], trials[second])
        verdict = "better" if apart.is_above_zero else "worse" if apart.is_below_zero else "no"
        one, other = trials[first].mean().mean, trials[second].mean().mean
        print(f"| {question} | {first} {one:.2f} | {second} {other:.2f} | {apart} | {verdict} |")
        found.append({"question": question, "first": first, "second": second, **apart.to_json(), "apart": verdict})
    return found


if __name__ == "__main__":
    main()
