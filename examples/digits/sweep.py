"""How wide must the teacher be? Trains each width with the project's own schedule over several seeds and prints the
accuracy on the held-back split: python sweep.py [SEEDS]"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import model
import numpy as np

from edgekit.data.split import Split
from edgekit.planning.recipe import recipe_of
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.steps.train import Train
from edgekit.training.evaluation import module_metric
from edgekit.training.loop import Schedule, fit
from edgekit.training.losses import task_loss
from edgekit.training.modules import parameter_count, seed_everything
from edgekit.traits import Data

WIDTHS = (8, 16, 24, 32, 48)
WITHIN = 0.3


def main(seeds: int) -> None:
    project = load_project(Path(__file__).parent)
    step = next(each.step for each in recipe_of(project).steps if isinstance(each.step, Train))
    schedule = Schedule(step.epochs, step.learning_rate, step.weight_decay)
    print("| width | parameters | accuracy, mean | lowest | highest |\n|---|---|---|---|---|", flush=True)
    means = {}
    for width in WIDTHS:
        values = []
        for seed in range(seeds):
            seeded = project.copy_with(seed=seed)
            seed_everything(seed)
            teacher = model.Teacher(width)
            with TemporaryDirectory() as folder:
                split = Split(seeded, Data.TRAIN)
                fit(teacher, split, task_loss(seeded), schedule, Path(folder) / "epoch.pt", Silent(), "")
            values.append(module_metric(teacher, seeded, Split(seeded, Data.EVALUATION)))
        means[width] = float(np.mean(values))
        count = parameter_count(teacher)
        print(f"| {width} | {count:,} | {means[width]:.2f} % | {min(values):.2f} | {max(values):.2f} |", flush=True)
    best = max(means.values())
    chosen = min(width for width, mean in means.items() if mean >= best - WITHIN)
    print(f"\n{seeds} seeds, {step.epochs} epochs. Smallest width within {WITHIN} point of the best: {chosen}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
