from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.model.reading import load_model, save_model
from edgekit.progress import Silent
from edgekit.runtimes.static_quantization import Watched, quantized_statically

SCHEME = {
    "activation": "uint8",
    "weight": "int8",
    "per_channel": True,
    "symmetric_activation": False,
    "reduce_range": False,
}
BATCHES = [(np.random.default_rng(seed).standard_normal((2, 3, 6, 6)).astype(np.float32),) for seed in range(3)]


@pytest.mark.parametrize("kept", [[], ["conv"]])
def test_every_batch_calibrates_and_what_is_kept_stays_float(conv_model: Path, tmp_path: Path, kept: list[str]) -> None:
    model = load_model(conv_model)
    model.graph.node[0].name = "conv"
    save_model(model, tmp_path / "named.onnx")
    batches = Watched(iter(BATCHES), 6, Silent())
    assert quantized_statically(tmp_path / "named.onnx", tmp_path / "q.onnx", batches, SCHEME, "minmax", kept) == 6
    (conv,) = (node for node in load_model(tmp_path / "q.onnx").graph.node if node.op_type == "Conv")
    assert (conv.input[1] == "kernel") == bool(kept)


def test_what_the_quantizer_says_is_passed_on(conv_model: Path, tmp_path: Path) -> None:
    batches = Watched(iter([(np.zeros((2, 9), np.float32),)]), 2, Silent())
    with pytest.raises(StepError, match="ONNX Runtime could not quantize the model: "):
        quantized_statically(conv_model, tmp_path / "q.onnx", batches, SCHEME, "minmax", [])


def test_the_quantizer_does_not_talk_to_whoever_reads_our_output(
    conv_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    batches = Watched(iter(BATCHES), 6, Silent())
    quantized_statically(conv_model, tmp_path / "q.onnx", batches, SCHEME, "percentile", [])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_a_last_batch_may_be_shorter(conv_model: Path, tmp_path: Path, method: str) -> None:
    uneven = [BATCHES[0], BATCHES[1], (BATCHES[2][0][:1],)]
    batches = Watched(iter(uneven), 5, Silent())
    assert quantized_statically(conv_model, tmp_path / "q.onnx", batches, SCHEME, method, []) == 5
