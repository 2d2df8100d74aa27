"""Predict a run's latency on a board, with an interval."""

import math
from dataclasses import dataclass

from edgekit.errors import PredictionError
from edgekit.instruction_counts.counts import Counts
from edgekit.latency.board_fit import known_prices
from edgekit.latency.fitting import COVERED, FEWEST, Weights, estimate, estimates
from edgekit.latency.model import FEWEST_FAMILIES, BoardFit, LatencyModel, at_clock, largest_error, name_of
from edgekit.latency.terms import SCALAR, Figures, figures_of, products_in
from edgekit.target import Target
from edgekit.wording import count_of


@dataclass(frozen=True)
class Prediction:
    milliseconds: float
    low: float
    high: float
    confidence: float
    """The confidence level of the interval; 0 for a range without a coverage guarantee."""
    how: str


def predict_latency(counts: Counts, target: Target, threads: int, model: LatencyModel | None = None) -> Prediction:
    """Predict a run's latency on a target from the counts of one thread under the target's emulator.

    For networks and runtimes like those in the fit, the margin has 90 % coverage. For others the range is uncalibrated:
    it uses the largest error observed between kinds of kernels and the difference of the formulas. Its upper end
    assumes that scalar instructions do not overlap, and uses the largest underestimate observed on such boards if that
    is more.

    Raises PredictionError if no board with the target's core and caches was calibrated with this thread count.
    """
    model = model or known_prices(target)
    fit = model.fit_for(target, threads)
    if fit is None:
        raise PredictionError(*_why_not(model, target, threads))
    weights, figures = at_clock(fit, target.clock_hz), figures_of(counts)
    result = estimate(weights, figures)
    if not result:
        raise PredictionError(
            f"no latency is predicted for {target.id}: no executed operator has a price", "measure on the board itself"
        )
    doubts = _doubts(fit, str(target.runtime), figures, result)
    basis = f"calibrated with {count_of(len(fit.errors), 'network')} of {fit.runtime} on a {fit.board}"
    if fit.margin is not None and not doubts:
        spread = math.exp(fit.margin)
        return Prediction(result, result / spread, result * spread, COVERED, basis)
    cycle_ns = 1e9 / (target.clock_hz or fit.clock_hz) / threads
    alone = estimate(_scalar_alone(weights, cycle_ns), figures)
    by_formula = estimates(weights, figures)
    apart = math.log(max(by_formula) / min(by_formula)) / 2
    below = max(model.transfer, largest_error(fit))
    above = max(below, fit.underestimate)
    if above > below:
        doubts.append(
            f"networks of another runtime took up to {math.exp(above):.2g} times the predicted latency on a {fit.board}"
        )
    how = f"no coverage guarantee: {'; '.join(doubts)}; {basis}"
    return Prediction(result, result / math.exp(below + apart), alone * math.exp(above + apart), 0.0, how)


def price(counts: Counts, target: Target, threads: int) -> float | None:
    """The predicted milliseconds of a part of a run, for comparing parts; None if nothing is predicted."""
    fit = known_prices(target).fit_for(target, threads)
    return estimate(at_clock(fit, target.clock_hz), figures_of(counts)) if fit else None


def _scalar_alone(weights: Weights, cycle_ns: float) -> Weights:
    """The prices if scalar instructions do not overlap."""
    return {
        formula: {term: max(price, cycle_ns) if term in SCALAR else price for term, price in prices.items()}
        for formula, prices in weights.items()
    }


def _doubts(fit: BoardFit, runtime: str, figures: Figures, milliseconds: float) -> list[str]:
    """Why a run is unlike those in the fit."""
    found = []
    if name_of(runtime) != name_of(fit.runtime):
        found.append(f"not calibrated on {runtime}")
    elif runtime != fit.runtime:
        found.append(f"calibrated on another {name_of(runtime)} than {runtime}")
    if not fit.shortest_ms / 2 <= milliseconds <= fit.longest_ms * 2:
        found.append(f"its networks took {_digits(fit.shortest_ms)} to {_digits(fit.longest_ms)} ms")
    found += [f"no network had {kind.replace('_', ' ')}" for kind in products_in(figures) if kind not in fit.products]
    if fit.margin is None:
        found.append(f"a coverage guarantee needs {FEWEST} networks of {FEWEST_FAMILIES} kinds")
    return found


def _digits(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def _why_not(model: LatencyModel, target: Target, threads: int) -> tuple[str, str]:
    known = sorted({each.threads for each in model.fits if model.fit_for(target, each.threads)})
    if known:
        several = " and ".join(map(str, known))
        return (
            f"no latency with {threads} threads is predicted",
            f"the calibration is for {several}: --threads {known[-1]}",
        )
    return (
        f"no latency is predicted for {target.id}: no calibrated board has its core and caches",
        "measure on the board itself: --runner ssh://USER@HOST",
    )
