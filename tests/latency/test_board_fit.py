import math
import random
from pathlib import Path

import pytest

from edgekit.errors import PredictionError
from edgekit.instruction_counts.counts import CacheCounts, Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.latency import board_fit
from edgekit.latency.board_fit import (
    MeasuredNetwork,
    calibrate,
    known_prices,
    price_files,
    read_calibration,
    write_calibration,
)
from edgekit.latency.fitting import estimate
from edgekit.latency.model import at_clock, shipped_model
from edgekit.latency.predict import predict_latency
from edgekit.latency.terms import MEMORY, Figures, figures_of, terms_of
from edgekit.target import Runtime, Target
from edgekit.target_files import calibration_file, find_target

RPI4 = find_target("rpi4")


def counts(seed: int) -> Counts:
    """Of some network, a little or a lot of everything."""
    draw = random.Random(seed)
    size = math.exp(draw.uniform(math.log(0.3), math.log(3)))
    ran = {
        InstructionKind.FLOAT_PRODUCT: 100e6,
        InstructionKind.OTHER: 9e6,
        InstructionKind.BRANCH: 4e6,
        InstructionKind.SCALAR_LOAD: 3e6,
    }
    quads = {
        InstructionKind.FLOAT_PRODUCT: 100e6,
        InstructionKind.VECTOR_LOAD: 34e6,
        InstructionKind.VECTOR_STORE: 4e6,
        InstructionKind.VECTOR_OTHER: 5e6,
    }
    drawn = {kind: int(count * size * draw.uniform(0.3, 2)) for kind, count in ran.items()}
    last = CacheCounts(int(7e6 * size), int(draw.uniform(0.2, 2) * 1e6 * size), 0, int(5e5 * size))
    return Counts(drawn, {kind: count * size * draw.uniform(0.3, 2) for kind, count in quads.items()}, 0, 0, (last,))


def published(figures: Figures) -> float:
    """What the prices that come along make of it."""
    fit = shipped_model().fit_for(RPI4, 1)
    assert fit
    return estimate(fit.weights, figures)


def known(target: Target, folder: Path) -> Target:
    """Calibrated with float and integer networks."""
    some = slower(9)
    figures = {**some[0].figures, "integer_products": some[0].figures["float_products"]}
    return with_file(target, folder, [some[0].copy_with(figures=figures), *some[1:]])


def measured(seed: int, milliseconds: float, runtime: str = str(RPI4.runtime), threads: int = 1) -> MeasuredNetwork:
    return MeasuredNetwork(
        network=f"n{seed}",
        family=f"n{seed}",
        digest=f"{seed:08}".ljust(64, "0"),
        runtime=runtime,
        threads=threads,
        milliseconds=milliseconds,
        figures=dict(figures_of(counts(seed))),
        board="Raspberry Pi 4 Model B Rev 1.4",
        when="2026-11-27",
    )


def slower(count: int, noise: float = 0.05) -> list[MeasuredNetwork]:
    """Networks that take a third longer than the known prices say, more or less."""
    draw = random.Random(0)
    return [measured(n, 1.33 * published(figures_of(counts(n))) * math.exp(draw.gauss(0, noise))) for n in range(count)]


def truth(figures: Figures) -> float:
    """What other kernels than those of the known prices take."""
    prices = {"vector": 0.1, "vector_loads": 0.2, "vector_stores": 0.2, "scalar": 2.0, MEMORY: 9.0}
    terms = terms_of(figures, "by unit")
    return sum(price * terms[term] for term, price in prices.items()) / 1e6


def with_file(target: Target, folder: Path, known: list[MeasuredNetwork]) -> Target:
    path = calibration_file(target, folder)
    write_calibration(calibrate(target, [], known), path)
    return find_target(target.id, [folder])


def test_a_few_networks_move_the_prices_and_claim_nothing(tmp_path: Path) -> None:
    target = with_file(RPI4, tmp_path, slower(4))
    result = predict_latency(counts(50), target, 1)
    assert result.milliseconds == pytest.approx(1.33 * published(figures_of(counts(50))), rel=0.1)
    assert result.confidence == 0 and "a coverage guarantee needs 9 networks of 4 kinds" in result.how
    assert result.how.endswith("calibrated with 4 networks of onnxruntime 1.32.0 on a Raspberry Pi 4 Model B Rev 1.4")
    assert result.high / result.milliseconds >= math.exp(shipped_model().transfer) - 1e-9


def test_one_network_moves_the_prices_alone(tmp_path: Path) -> None:
    far = measured(0, 8 * published(figures_of(counts(0))))
    result, before = (
        predict_latency(counts(50), with_file(RPI4, tmp_path, [far]), 1),
        predict_latency(counts(50), RPI4, 1),
    )
    assert result.milliseconds == pytest.approx(8 * before.milliseconds)
    assert result.high / result.milliseconds == pytest.approx(before.high / before.milliseconds, rel=0.1)
    assert "calibrated with 1 network of" in result.how


def test_nine_give_an_interval(tmp_path: Path) -> None:
    target = with_file(RPI4, tmp_path, slower(9))
    result = predict_latency(counts(50), target, 1)
    assert result.confidence == 0.9 and 1.02 < result.high / result.milliseconds < 1.2
    other = predict_latency(counts(50), target.on(Runtime(name="onnxruntime", version="1.31.0")), 1)
    assert other.confidence == 0 and "calibrated on another onnxruntime than onnxruntime 1.31.0" in other.how
    assert other.milliseconds == result.milliseconds
    litert = predict_latency(counts(50), target.on(Runtime(name="ai-edge-litert", version="2.3.0")), 1)
    assert "not calibrated on ai-edge-litert 2.3.0" in litert.how and "of ncnn" in litert.how
    with pytest.raises(PredictionError, match="no latency with 2 threads"):
        predict_latency(counts(50), target, 2)


def test_kernels_of_a_kind_that_was_not_measured_have_no_interval(tmp_path: Path) -> None:
    target = with_file(RPI4, tmp_path, slower(9))
    whole = counts(50)
    integers = Counts({**whole.instructions, InstructionKind.INTEGER_PRODUCT: 10**8}, whole.quads, 0, 0, whole.caches)
    result = predict_latency(integers, target, 1)
    assert result.confidence == 0 and "no network had integer products" in result.how


def test_many_networks_with_other_kernels_have_prices_of_their_own(tmp_path: Path) -> None:
    known = [measured(n, truth(figures_of(counts(n)))) for n in range(24)]
    target = with_file(RPI4, tmp_path, known)
    fit = known_prices(target).fit_for(target, 1)
    assert fit and fit.weights["by unit"]["scalar"] == pytest.approx(2.0, rel=0.2)
    items = [predict_latency(counts(n), target, 1) for n in range(100, 130)]
    true = [truth(figures_of(counts(n))) for n in range(100, 130)]
    assert sum(each.low <= one <= each.high for each, one in zip(items, true, strict=True)) >= 25
    few = with_file(RPI4, tmp_path, known[:11])
    moved, base = known_prices(few).fit_for(few, 1), shipped_model().fit_for(RPI4, 1)
    assert moved and base
    shares = {price / base.weights["by unit"][term] for term, price in moved.weights["by unit"].items()}
    assert max(shares) == pytest.approx(min(shares)), "eleven are moved by one number"


def test_without_scipy_they_are_moved_by_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [measured(n, truth(figures_of(counts(n)))) for n in range(24)]
    (own,) = calibrate(RPI4, [], known).fits
    monkeypatch.setattr(board_fit, "installed_version", lambda _: "")
    (moved,) = calibrate(RPI4, [], known).fits
    base = shipped_model().fit_for(RPI4, 1)
    assert base and own.weights != moved.weights and own.margin and moved.margin and own.margin < moved.margin
    shares = [price / base.weights["by unit"][term] for term, price in moved.weights["by unit"].items()]
    assert max(shares) == pytest.approx(min(shares))


def test_the_intervals_hold_nine_of_ten(tmp_path: Path) -> None:
    target = with_file(RPI4, tmp_path, slower(30, noise=0.15))
    draw, inside = random.Random(1), 0
    for n in range(200, 400):
        result, noise = predict_latency(counts(n), target, 1), math.exp(draw.gauss(0, 0.15))
        inside += result.low <= 1.33 * published(figures_of(counts(n))) * noise <= result.high
    assert 0.85 <= inside / 200 <= 0.97


def test_what_is_measured_again_replaces_what_is_known() -> None:
    known = calibrate(RPI4, [], slower(3))
    again = calibrate(
        RPI4, known.measured, [known.measured[1].copy_with(milliseconds=5.0), measured(7, 9.0, threads=4)]
    )
    assert [(each.network, each.threads) for each in again.measured] == [("n0", 1), ("n1", 1), ("n2", 1), ("n7", 4)]
    assert again.measured[1].milliseconds == 5.0
    assert [(fit.threads, len(fit.errors)) for fit in again.fits] == [(1, 3), (4, 1)]


def test_another_clock_moves_the_calibrated_prices(tmp_path: Path) -> None:
    target = with_file(RPI4, tmp_path, slower(9)).copy_with(clock_hz=1_500_000_000)
    fit = known_prices(target).fit_for(target, 1)
    assert fit and fit.runtime == str(RPI4.runtime)
    assert at_clock(fit, 1_500_000_000)["by unit"]["scalar"] == pytest.approx(1.2 * fit.weights["by unit"]["scalar"])


def test_a_core_without_prices_takes_many_networks() -> None:
    own = RPI4.copy_with(id="own", cpu="cortex-a55")
    few = calibrate(own, [], slower(9))
    assert len(few.measured) == 9 and not few.fits, "they are kept until there are more"
    (fit,) = calibrate(own, few.measured, slower(14, noise=0.0)).fits
    assert fit.cpu == "cortex-a55" and fit.margin is not None and fit.margin < 0.3


def test_networks_of_few_families_have_no_interval() -> None:
    alike = [each.copy_with(family=f"f{number % 3}") for number, each in enumerate(slower(20))]
    (fit,) = calibrate(RPI4, [], alike).fits
    assert len(fit.errors) == 20 and fit.margin is None
    one = calibrate(RPI4, [], [each.copy_with(family="one") for each in slower(20)])
    assert one.fits[0].margin is None


def test_networks_of_one_name_are_told_apart() -> None:
    (fit,) = calibrate(RPI4, [], [each.copy_with(network="model") for each in slower(9)]).fits
    assert len(fit.errors) == 9 and fit.margin is not None


def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    path = calibration_file(RPI4, tmp_path)
    path.write_text('{"measured": [], "fits": 3}')
    target = find_target("rpi4", [tmp_path])
    with pytest.raises(PredictionError, match=r"rpi4\.latency\.json is not a latency calibration: .*fits") as raised:
        predict_latency(counts(0), target, 1)
    assert "calibrate again" in raised.value.hint


def test_it_is_found_beside_the_targets_file(tmp_path: Path) -> None:
    assert RPI4.calibration == "" and read_calibration(RPI4) is None and len(price_files(RPI4)) == 1
    target = with_file(RPI4, tmp_path, slower(2))
    found = read_calibration(target)
    assert found and len(found.measured) == 2 and price_files(target)[1] == calibration_file(RPI4, tmp_path)
