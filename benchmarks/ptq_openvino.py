"""NNCF and OpenVINO's runtime, in an environment of their own; a part of benchmarks/ptq.py, which calls

python ptq_openvino.py float|int8 FOLDER METRIC OUT.xml
python ptq_openvino.py serve MODEL.xml FEEDS.npz
"""

from pathlib import Path
from typing import Any

import nncf
import openvino
from ptq_served import Feed, feeds_of, script


def made(what: str, folder: Path, _: str, path: Path) -> None:
    model = openvino.Core().read_model(folder / "float.onnx")
    if what == "int8":
        feeds = feeds_of(folder / "calibration.npz")
        kind = nncf.ModelType.TRANSFORMER if folder.name == "encoder" else None
        # All samples: by default it stops after 300.
        model = nncf.quantize(model, nncf.Dataset(feeds), subset_size=len(feeds), model_type=kind)
    openvino.save_model(model, path, compress_to_fp16=False)


def runner(model: str) -> Any:
    """Runs one sample on one thread in float32: the default is bf16 if the CPU supports it."""
    config = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(model, "CPU", config).create_infer_request()

    def run(feed: Feed) -> Any:
        return request.infer(feed, share_inputs=True)[0]

    return run


if __name__ == "__main__":
    script(made, runner)
