"""The predicted ratio of two runs' times on a board."""

import math
from collections.abc import Sequence

from edgekit.errors import PredictionError
from edgekit.figures.ratios import Ratio
from edgekit.instruction_counts.counts import Counts
from edgekit.latency.board_fit import known_prices
from edgekit.latency.fitting import Weights
from edgekit.latency.model import BoardFit, at_clock
from edgekit.latency.terms import Figures, figures_of, products_in, terms_of
from edgekit.target import Target


def predict_ratios(runs: Sequence[Counts], target: Target, threads: int) -> list[Ratio]:
    """The ratio of each other run's time to the first one's. What two runs have in common cancels out; uncertainty
    remains in what only one of them does.

    Raises PredictionError if no calibration covers the target's runtime (see `is_calibrated`) or the products of the
    runs.
    """
    fit = _calibrated_fit(target, threads)
    if fit is None or fit.margin is None:
        raise PredictionError(
            f"no latency calibration covers {target.runtime} on {target.id}", f"edgekit calibrate {target.id}"
        )
    doubt = math.exp(fit.margin / 2)
    first, *others = map(figures_of, runs)
    unknown = {kind for each in (first, *others) for kind in products_in(each)} - set(fit.products)
    if unknown:
        text = " and ".join(sorted(kind.replace("_", " ") for kind in unknown))
        raise PredictionError(
            f"the latency calibration of {target.runtime} on {target.id} has no prices for {text}",
            f"edgekit calibrate {target.id}",
        )
    weights = at_clock(fit, target.clock_hz)
    return [_ratio(weights, doubt, first, other) for other in others]


def is_calibrated(target: Target, threads: int) -> bool:
    """Whether the target's runtime was calibrated on such a board, with enough networks for an interval."""
    return _calibrated_fit(target, threads) is not None


def _calibrated_fit(target: Target, threads: int) -> BoardFit | None:
    fit = known_prices(target).fit_for(target, threads)
    return fit if fit and fit.margin is not None and fit.runtime == str(target.runtime) else None


def _ratio(weights: Weights, doubt: float, first: Figures, other: Figures) -> Ratio:
    """By each formula, savings may be smaller by the factor `doubt` and additions larger, or the reverse. The interval
    is the widest of these; the ratio is the geometric mean of the formulas, as for a latency."""
    middles, lows, highs = [], [], []
    for formula, prices in weights.items():
        before, after = terms_of(first, formula), terms_of(other, formula)
        whole = sum(price * before[term] for term, price in prices.items())
        changes = [price * (after[term] - before[term]) / whole for term, price in prices.items()]
        added, saved = sum(max(each, 0.0) for each in changes), sum(max(-each, 0.0) for each in changes)
        middles.append(1 + added - saved)
        lows.append(max(1 + added / doubt - saved * doubt, 0.0))
        highs.append(1 + added * doubt - saved / doubt)
    return Ratio(math.prod(middles) ** (1 / len(middles)), min(lows), max(highs))
