from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import PredictionError
from edgekit.instruction_counts.counts import Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.latency.compare import is_calibrated, predict_ratios
from edgekit.latency.predict import predict_latency
from edgekit.target import Runtime, Target
from tests.latency.test_board_fit import RPI4, counts, slower, with_file


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return with_file(RPI4, tmp_path, slower(9))


def more(run: Counts, kind: InstructionKind, times: float) -> Counts:
    return replace(run, quads={**run.quads, kind: run.quads[kind] * times})


def test_a_run_takes_as_long_as_itself(target: Target) -> None:
    (ratio,) = predict_ratios([counts(1), counts(1)], target, 1)
    assert (ratio.median, ratio.low, ratio.high) == (1, 1, 1)


def test_what_is_only_added_takes_longer_beyond_doubt(target: Target) -> None:
    longer = more(counts(1), InstructionKind.FLOAT_PRODUCT, 1.5)
    slow, back = (predict_ratios(pair, target, 1)[0] for pair in ([counts(1), longer], [longer, counts(1)]))
    assert 1 < slow.low < slow.median < slow.high
    assert back.low < back.median < back.high < 1
    whole = predict_latency(longer, target, 1).milliseconds / predict_latency(counts(1), target, 1).milliseconds
    assert slow.median == pytest.approx(whole, rel=0.02)


def test_what_is_saved_here_and_added_there_is_in_doubt(target: Target) -> None:
    other = more(more(counts(1), InstructionKind.FLOAT_PRODUCT, 0.9), InstructionKind.VECTOR_LOAD, 1.3)
    (ratio,) = predict_ratios([counts(1), other], target, 1)
    assert ratio.low < 1 < ratio.high


def test_a_calibration_that_errs_more_leaves_more_doubt(target: Target, tmp_path: Path) -> None:
    other = more(more(counts(1), InstructionKind.FLOAT_PRODUCT, 0.8), InstructionKind.VECTOR_LOAD, 1.2)
    (narrow,) = predict_ratios([counts(1), other], target, 1)
    (wide,) = predict_ratios([counts(1), other], with_file(RPI4, tmp_path, slower(9, noise=0.3)), 1)
    assert wide.low < narrow.low < narrow.median < narrow.high < wide.high


def test_what_nothing_vouches_for_is_reported(target: Target, tmp_path: Path) -> None:
    assert is_calibrated(target, 1)
    older = target.on(Runtime(name="onnxruntime", version="1.31.0"))
    for each, threads in ((RPI4, 1), (older, 1), (target, 4), (with_file(RPI4, tmp_path, slower(8)), 1)):
        assert not is_calibrated(each, threads)
        with pytest.raises(PredictionError, match="no latency calibration covers onnxruntime") as raised:
            predict_ratios([counts(1), counts(2)], each, threads)
        assert raised.value.hint == "edgekit calibrate rpi4"


def test_products_that_were_never_measured_are_reported(target: Target) -> None:
    run = counts(1)
    integers = replace(run, instructions={**run.instructions, InstructionKind.INTEGER_PRODUCT: 10**8})
    with pytest.raises(PredictionError, match=r"onnxruntime 1.32.0 on rpi4 has no prices for integer products"):
        predict_ratios([run, integers], target, 1)
