import sys
from pathlib import Path

import pytest

from edgekit.latency.fitting import margin
from edgekit.latency.model import at_clock, shipped_model
from edgekit.latency.terms import FORMULAS, MEMORY
from edgekit.target_files import find_target

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
import latency_model

PIS = ("rpi3", "rpi4", "rpi5", "rpi-zero2w")


def test_what_is_shipped_is_what_the_script_makes_of_the_shipped_data() -> None:
    published = latency_model.read(latency_model.DATA / "published.csv")
    features = latency_model.figures_by_network(latency_model.read(latency_model.DATA / "features.csv"))
    made, _, xnnpack = latency_model.fitted_model(latency_model.all_points(published, features), published, features)
    assert {(row.target, row.threads) for row in xnnpack} == {("rpi4", 4), ("rpi5", 4)}
    shipped = shipped_model()
    assert made.transfer == pytest.approx(shipped.transfer, rel=1e-6)
    for one, other in zip(made.fits, shipped.fits, strict=True):
        assert one.copy_with(weights={}, errors={}, margin=0.0) == other.copy_with(weights={}, errors={}, margin=0.0)
        assert one.errors == pytest.approx(other.errors, rel=1e-6, abs=1e-9)
        for formula, prices in one.weights.items():
            assert prices == pytest.approx(other.weights[formula], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", PIS)
@pytest.mark.parametrize("threads", [1, 4])
def test_each_raspberry_pi_has_prices(name: str, threads: int) -> None:
    fit = shipped_model().fit_for(find_target(name), threads)
    assert fit and fit.clock_hz == find_target(name).clock_hz and fit.threads == threads
    assert {formula: set(prices) for formula, prices in fit.weights.items()} == {
        formula: set(terms) for formula, terms in FORMULAS.items()
    }
    assert fit.margin == margin(list(fit.errors.values())) and len(fit.errors) >= 19
    integers = "dot_products" if name == "rpi5" else "integer_products"
    assert fit.products == tuple(sorted(("float_products", integers)))


def test_other_boards_have_none() -> None:
    model = shipped_model()
    assert model.fit_for(find_target("arm64-generic"), 1) is None, "its caches are not known"
    assert model.fit_for(find_target("x86-avx2"), 1) is None
    assert model.fit_for(find_target("rpi4"), 2) is None
    rpi4 = find_target("rpi4")
    assert model.fit_for(rpi4.copy_with(caches=rpi4.caches[:1]), 1) is None


def test_prices_of_the_targets_own_runtime_come_first() -> None:
    model, rpi4 = shipped_model(), find_target("rpi4")
    fit = model.fit_for(rpi4, 1)
    assert fit
    older, own = (
        fit.copy_with(runtime="onnxruntime 1.30.0"),
        fit.copy_with(runtime="onnxruntime 1.32.0", clock_hz=10**9),
    )
    assert model.copy_with(fits=(*model.fits, older)).fit_for(rpi4, 1) == older
    assert model.copy_with(fits=(*model.fits, older, own)).fit_for(rpi4, 1) == own


def test_another_clock_changes_all_but_the_memory() -> None:
    rpi4 = find_target("rpi4")
    fit = shipped_model().fit_for(rpi4.copy_with(clock_hz=1_500_000_000), 1)
    assert fit and fit.clock_hz == rpi4.clock_hz
    slower = at_clock(fit, 1_500_000_000)
    for formula, prices in fit.weights.items():
        for term, price in prices.items():
            assert slower[formula][term] == pytest.approx(price * (1 if term == MEMORY else 1.2))
    assert at_clock(fit, None) == fit.weights


def test_of_two_boards_with_one_core_the_nearer_clock_counts() -> None:
    model, zero = shipped_model(), find_target("rpi-zero2w")
    found = [model.fit_for(zero.copy_with(clock_hz=clock), 1) for clock in (900_000_000, 1_100_000_000, 1_300_000_000)]
    assert [each.board for each in found if each] == [zero.name, zero.name, find_target("rpi3").name]
