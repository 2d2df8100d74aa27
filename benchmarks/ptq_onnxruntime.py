"""ONNX Runtime and its quantizers; a part of benchmarks/ptq.py, which calls

python ptq_onnxruntime.py static|static-best|dynamic|dynamic-best FOLDER METRIC OUT.onnx
python ptq_onnxruntime.py serve MODEL.onnx FEEDS.npz
"""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from ptq_served import Feed, feeds_of, script
from ptq_terms import here


def quantize(what: str, folder: Path, _: str, path: Path) -> None:
    source, feeds = folder / "float.onnx", iter(feeds_of(folder / "calibration.npz"))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Feed | None:
            return next(feeds, None)

    by_channel = {"per_channel": True, "weight_type": QuantType.QInt8, "reduce_range": here().saturates}
    if what == "static":
        quantize_static(source, path, Reader())
    elif what == "dynamic":
        quantize_dynamic(source, path)
    else:
        # As its documentation recommends for x86: preprocessed, U8S8 per channel, 7 bits if sums saturate.
        prepared = path.with_suffix(".prepared")
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        if what == "static-best":
            quantize_static(prepared, path, Reader(), activation_type=QuantType.QUInt8, **by_channel)
        else:
            quantize_dynamic(prepared, path, **by_channel)
        prepared.unlink()


def runner(model: str) -> Any:
    """Runs one sample on one thread, with the runtime's defaults."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(feed: Feed) -> Any:
        return session.run(None, feed)[0]

    return run


if __name__ == "__main__":
    script(quantize, runner)
