"""edgekit itself; a part of benchmarks/ptq.py, which calls

python ptq_edgekit.py build|RECIPE FOLDER METRIC OUT.onnx
"""

from pathlib import Path

from ptq_onnxruntime import runner
from ptq_served import feeds_of, script
from ptq_terms import allowed, here, named

from edgekit.builds.build import build
from edgekit.progress import Silent
from edgekit.project.from_file import file_project


def ship(what: str, folder: Path, metric: str, path: Path) -> None:
    place = path.with_suffix("")
    place.mkdir(exist_ok=True)
    calibration = folder / "calibration.npz"
    project = file_project(
        folder / "float.onnx",
        str(calibration),
        evaluation=str(folder / "evaluation.npz"),
        metric=named(metric),
        recipe=None if what == "build" else what,
        folder=place,
        calibration_samples=len(feeds_of(calibration)),
    )
    project = project.copy_with(budgets=project.budgets.copy_with(max_drop=allowed(metric)))
    (built,) = build(project, [here()], Silent()).targets
    path.write_bytes((built.bundle / "model.onnx").read_bytes())
    print(f"recipe {built.recipe}")


if __name__ == "__main__":
    script(ship, runner)
