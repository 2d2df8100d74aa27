"""Neural Compressor with its defaults, and with its tuner; a part of benchmarks/ptq.py, which calls

python ptq_compressor.py default|tuned FOLDER METRIC OUT.onnx
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from neural_compressor import quantization, set_workspace
from neural_compressor.config import AccuracyCriterion, PostTrainingQuantConfig, TuningCriterion
from ptq_onnxruntime import runner
from ptq_served import feeds_of, script
from ptq_terms import allowed, likenesses


def quantize(what: str, folder: Path, metric: str, path: Path) -> None:
    set_workspace(str(folder / "nc_workspace"))
    model = onnx.load(folder / "float.onnx")
    del model.graph.value_info[:]  # Neural Compressor fails if these shapes differ from its own.
    feeds = feeds_of(folder / "calibration.npz")

    def outputs(of: Path) -> Any:
        run = runner(str(of))
        return np.concatenate([run(each) for each in feeds])

    class Loader:
        batch_size = 1

        def __iter__(self) -> Any:
            return ((feed, None) for feed in feeds)

    expected = outputs(folder / "float.onnx")

    def judged(trial: onnx.ModelProto) -> float:
        left = path.with_suffix(".trial")
        onnx.save(trial, left)
        value = float(np.mean(likenesses(metric, expected, outputs(left))))
        left.unlink()
        return value

    conf = PostTrainingQuantConfig(
        approach="dynamic" if folder.name == "encoder" else "static",
        # The drop that edgekit allows.
        accuracy_criterion=AccuracyCriterion(criterion="absolute", tolerable_loss=allowed(metric)),
        tuning_criterion=TuningCriterion(max_trials=10, timeout=300),
    )
    made = quantization.fit(model, conf=conf, calib_dataloader=Loader(), eval_func=judged if what == "tuned" else None)
    if made is None:
        sys.exit("its tuner found nothing within the budget, and kept none of its trials")
    made.save(str(path))


if __name__ == "__main__":
    script(quantize, runner)
