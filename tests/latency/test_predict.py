import math

import pytest

from edgekit.errors import PredictionError
from edgekit.instruction_counts.counts import CacheCounts, Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.latency.fitting import estimate, estimates
from edgekit.latency.model import shipped_model
from edgekit.latency.predict import predict_latency
from edgekit.latency.terms import figures_of
from edgekit.target import Runtime
from edgekit.target_files import find_target

RPI4 = find_target("rpi4")
NCNN = Runtime(name="onnxruntime", version="1.32.0")


def counts(size: float = 1.0) -> Counts:
    """Of the kind that a MobileNet has."""
    ran = {
        InstructionKind.FLOAT_PRODUCT: 142e6,
        InstructionKind.VECTOR_LOAD: 9e6,
        InstructionKind.OTHER: 4e6,
        InstructionKind.BRANCH: 3e6,
        InstructionKind.SCALAR_LOAD: 2e5,
    }
    quads = {
        InstructionKind.FLOAT_PRODUCT: 142e6 * size,
        InstructionKind.VECTOR_LOAD: 34e6 * size,
        InstructionKind.VECTOR_STORE: 4e6 * size,
    }
    last = CacheCounts(int(7e6 * size), int(1.8e6 * size), int(1.1e6 * size), int(9e5 * size))
    whole = {kind: int(count * size) for kind, count in ran.items()}
    return Counts(whole, quads, 0, 0, (last, last))


def test_a_runtime_that_nothing_was_calibrated_on_has_a_range_without_a_claim() -> None:
    result = predict_latency(counts(), RPI4, 1)
    assert result.low < result.milliseconds < result.high and result.confidence == 0
    assert result.how.startswith("no coverage guarantee: not calibrated on onnxruntime 1.32.0; calibrated with 20")
    assert result.high / result.milliseconds >= math.exp(shipped_model().transfer) - 1e-9
    assert 100 < result.milliseconds < 200, "MobileNet v1 takes 139 ms by ncnn"


@pytest.mark.parametrize(("name", "threads", "reach"), [("rpi5", 1, 1 / 0.61), ("rpi5", 4, 1 / 0.44), ("rpi4", 4, 1.0)])
def test_the_range_reaches_up_to_what_networks_of_another_runtime_took(name: str, threads: int, reach: float) -> None:
    target, model = find_target(name), shipped_model()
    fit = model.fit_for(target, threads)
    assert fit and math.exp(fit.underestimate) >= reach
    result = predict_latency(counts(), target, threads)
    symmetric = model.copy_with(fits=tuple(each.copy_with(underestimate=0.0) for each in model.fits))
    before = predict_latency(counts(), target, threads, symmetric)
    assert (result.milliseconds, result.low) == (before.milliseconds, before.low)
    if reach > 1:
        assert result.high / before.high == pytest.approx(math.exp(fit.underestimate - model.transfer))
        assert "networks of another runtime took up to" in result.how
    else:
        assert result == before


def test_one_that_was_has_an_interval() -> None:
    model = shipped_model()
    own = model.copy_with(fits=tuple(each.copy_with(runtime=str(RPI4.runtime)) for each in model.fits))
    result = predict_latency(counts(), RPI4, 1, own)
    fit = own.fit_for(RPI4, 1)
    assert fit and result.confidence == 0.9 and result.high / result.milliseconds == pytest.approx(math.exp(fit.margin))
    assert result.how == "calibrated with 20 networks of onnxruntime 1.32.0 on a Raspberry Pi 4 Model B"
    other = predict_latency(counts(), RPI4.copy_with(runtime=Runtime(name="onnxruntime", version="1.31.0")), 1, own)
    assert other.confidence == 0 and other.milliseconds == result.milliseconds, "another version may have other kernels"
    assert other.high > result.high


@pytest.mark.parametrize("size", [0.01, 50.0])
def test_sizes_that_were_never_seen_are_reported(size: float) -> None:
    model = shipped_model()
    own = model.copy_with(fits=tuple(each.copy_with(runtime=str(RPI4.runtime)) for each in model.fits))
    result = predict_latency(counts(size), RPI4, 1, own)
    assert result.confidence == 0 and "its networks took 12.5 to 533 ms" in result.how


def test_long_ones_are_told_in_full() -> None:
    assert "its networks took 42.2 to 1801 ms" in predict_latency(counts(0.01), find_target("rpi-zero2w"), 1).how


def test_what_the_formulas_differ_by_widens_the_range() -> None:
    strange = Counts({}, {InstructionKind.FLOAT_PRODUCT: 1e8}, 0, 0, (CacheCounts(1, 1, 1, 0),))
    fit = shipped_model().fit_for(RPI4, 1)
    assert fit
    result, by_formula = predict_latency(strange, RPI4, 1), estimates(fit.weights, figures_of(strange))
    apart = max(by_formula) / min(by_formula)
    assert result.high / result.milliseconds == pytest.approx(math.exp(shipped_model().transfer) * math.sqrt(apart))


def test_scalar_code_may_take_a_cycle_an_instruction() -> None:
    loops = Counts({InstructionKind.OTHER: 10**8, InstructionKind.BRANCH: 10**7}, {}, 0, 0, (CacheCounts(1, 1, 1, 0),))
    for threads in (1, 4):
        result, cycles = predict_latency(loops, RPI4, threads), 1e3 * 1.1e8 / 1.8e9 / threads
        assert result.milliseconds > cycles / 3, "a Cortex-A72 takes three a cycle at most"
        assert result.high > cycles
    usual = predict_latency(counts(), RPI4, 1)
    assert 1 < usual.high * usual.low / usual.milliseconds**2 < 1.1, "little of a MobileNet is scalar"


def test_a_slower_clock_takes_longer() -> None:
    slow = predict_latency(counts(), RPI4.copy_with(clock_hz=1_500_000_000), 1).milliseconds
    assert (
        predict_latency(counts(), RPI4, 1).milliseconds < slow < 1.2 * predict_latency(counts(), RPI4, 1).milliseconds
    )
    fit = shipped_model().fit_for(RPI4, 1)
    assert fit and predict_latency(counts(), RPI4, 1).milliseconds == pytest.approx(
        estimate(fit.weights, figures_of(counts()))
    )


def test_where_nothing_can_be_predicted_it_is_said_why() -> None:
    with pytest.raises(PredictionError, match="no executed operator has a price"):
        predict_latency(Counts({InstructionKind.PREFETCH: 5}, {}, 0, 0, (CacheCounts(0, 0, 0, 0),)), RPI4, 1)
    with pytest.raises(PredictionError, match="no latency with 2 threads is predicted") as raised:
        predict_latency(counts(), RPI4, 2)
    assert raised.value.hint == "the calibration is for 1 and 4: --threads 4"
    with pytest.raises(PredictionError, match="no latency is predicted for arm64-generic"):
        predict_latency(counts(), find_target("arm64-generic"), 1)
