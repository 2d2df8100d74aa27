import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.calibration_batches import CalibrationBatches
from edgekit.errors import StepError
from edgekit.model.reading import load_model, save_model
from edgekit.progress import Silent
from edgekit.quantizers.onnxruntime_static import quantize_static
from edgekit.runtimes.ort import inner_tensors

SCHEME = {
    "activation": "uint8",
    "weight": "int8",
    "per_channel": True,
    "symmetric_activation": False,
    "reduce_range": False,
}
BATCHES = [(np.random.default_rng(seed).standard_normal((2, 3, 6, 6)).astype(np.float32),) for seed in range(3)]


def quantize(
    source: Path, batches: CalibrationBatches, method: str = "minmax", kept: Sequence[str] = (), operators: str = "all"
) -> None:
    """To q.onnx beside the source, the ranges in ranges.json."""
    output, ranges = source.with_name("q.onnx"), source.with_name("ranges.json")
    quantize_static(source, output, batches, SCHEME, method, operators, kept, ranges)


@pytest.mark.parametrize("kept", [[], ["conv"]])
def test_every_batch_calibrates_and_what_is_kept_stays_float(conv_model: Path, tmp_path: Path, kept: list[str]) -> None:
    model = load_model(conv_model)
    model.graph.node[0].name = "conv"
    save_model(model, tmp_path / "named.onnx")
    batches = CalibrationBatches(iter(BATCHES), 6, Silent())
    quantize(tmp_path / "named.onnx", batches, kept=kept)
    assert batches.samples == 6
    (conv,) = (node for node in load_model(tmp_path / "q.onnx").graph.node if node.op_type == "Conv")
    assert (conv.input[1] == "kernel") == bool(kept)


def test_ranges_are_of_the_model_as_it_is_written(conv_model: Path, tmp_path: Path) -> None:
    """The runtime, left to itself, makes one operator of a convolution and its ReLU."""
    quantize(conv_model, CalibrationBatches(iter(BATCHES), 6, Silent()))
    stored = json.loads((tmp_path / "ranges.json").read_text())["data"]
    runs = [inner_tensors(conv_model, batch) for batch in BATCHES]
    for name in "xcnrp":
        lowest, highest = (stored[name][end]["data"] for end in ("lowest", "highest"))
        assert np.isclose(lowest, min(run[name].min() for run in runs), rtol=1e-5)
        assert np.isclose(highest, max(run[name].max() for run in runs), rtol=1e-5)


def test_what_the_quantizer_says_is_passed_on(conv_model: Path) -> None:
    batches = CalibrationBatches(iter([(np.zeros((2, 9), np.float32),)]), 2, Silent())
    with pytest.raises(StepError, match="ONNX Runtime could not quantize the model: "):
        quantize(conv_model, batches)


def test_the_quantizer_does_not_talk_to_whoever_reads_our_output(
    conv_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    batches = CalibrationBatches(iter(BATCHES), 6, Silent())
    quantize(conv_model, batches, "percentile")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_a_last_batch_may_be_shorter(conv_model: Path, tmp_path: Path, method: str) -> None:
    uneven = [BATCHES[0], BATCHES[1], (BATCHES[2][0][:1],)]
    batches = CalibrationBatches(iter(uneven), 5, Silent())
    quantize(conv_model, batches, method)
    assert batches.samples == 5
    again = CalibrationBatches(iter([]), 0, Silent())
    first = (tmp_path / "q.onnx").read_bytes()
    quantize(conv_model, again, method)
    assert (tmp_path / "q.onnx").read_bytes() == first, "of the ranges that are there"


@pytest.mark.parametrize(("operators", "pooled"), [("all", True), ("conv-matmul", False)])
def test_products_alone_leave_the_rest_in_floats(
    conv_model: Path, tmp_path: Path, operators: str, pooled: bool
) -> None:
    quantize(conv_model, CalibrationBatches(iter(BATCHES), 6, Silent()), operators=operators)
    rounded = {node.input[0] for node in load_model(tmp_path / "q.onnx").graph.node if node.op_type == "QuantizeLinear"}
    assert {"x", "f"} <= rounded and ("p" in rounded) == pooled
