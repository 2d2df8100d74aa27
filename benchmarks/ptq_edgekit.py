"""edgekit itself; a part of benchmarks/ptq.py, which calls

python ptq_edgekit.py build|RECIPE FOLDER METRIC OUT.onnx
"""

import sys
from pathlib import Path

from ptq_served import feeds_of, target_here

import edgekit


def main() -> None:
    what, folder, metric, path = sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    place = path.with_suffix("")
    place.mkdir(exist_ok=True)
    calibration = folder / "calibration.npz"
    done = edgekit.build(
        folder / "float.onnx",
        targets=target_here(),
        calibration=calibration,
        evaluation=folder / "evaluation.npz",
        metric=metric,
        recipe=None if what == "build" else what,
        folder=place,
        calibration_samples=len(feeds_of(calibration)),
    )
    (built,) = done.targets
    path.write_bytes((built.bundle / "model.onnx").read_bytes())
    print(f"recipe {built.recipe}")


if __name__ == "__main__":
    main()
