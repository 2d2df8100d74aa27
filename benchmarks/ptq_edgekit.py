"""edgekit itself; a part of benchmarks/ptq.py, which calls

python ptq_edgekit.py build|RECIPE FOLDER METRIC OUT.onnx
"""

import sys
from pathlib import Path

from ptq_served import ANY_LOSS, feeds_of, target_here

from edgekit.building import build
from edgekit.progress import Silent
from edgekit.project.from_file import file_project
from edgekit.target import find_target


def main() -> None:
    what, folder, metric, path = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    place = path.with_suffix("")
    place.mkdir(exist_ok=True)
    calibration = folder / "calibration.npz"
    project = file_project(
        folder / "float.onnx",
        str(calibration),
        evaluation=str(folder / "evaluation.npz"),
        metric="cosine" if metric == "any" else metric,
        recipe=None if what == "build" else what,
        folder=place,
        calibration_samples=len(feeds_of(calibration)),
    )
    if metric == "any":
        project = project.changed(budgets=project.budgets.changed(max_drop=ANY_LOSS))
    (built,) = build(project, [find_target(target_here())], Silent()).targets
    path.write_bytes((built.bundle / "model.onnx").read_bytes())
    print(f"recipe {built.recipe}")


if __name__ == "__main__":
    main()
