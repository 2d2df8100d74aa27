"""What networks took on a user's own board, and the prices that follow: kept beside a target's file."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import msgspec

from edgekit.errors import PredictionError, first_line
from edgekit.files import write_bytes
from edgekit.host import installed_version
from edgekit.latency.fitting import Point, Way, choose_way, fit_prices, scale_prices
from edgekit.latency.model import (
    FEWEST_FAMILIES,
    SHIPPED,
    BoardFit,
    LatencyModel,
    at_clock,
    board_fit,
    name_of,
    shipped_model,
)
from edgekit.latency.terms import slot_ns
from edgekit.records import Record
from edgekit.target import Target

FEWEST_FOR_PRICES = 12
"""Networks: more than there are prices."""


class MeasuredNetwork(Record, frozen=True, kw_only=True):
    """A network on a board."""

    network: str
    family: str
    digest: str
    """Of the file that ran."""
    runtime: str
    threads: int
    milliseconds: float
    """Median of a run."""
    figures: dict[str, float]
    """What a run takes, as `edgekit.latency.terms.figures_of` has it."""
    board: str
    when: str
    """A date."""

    @property
    def name(self) -> str:
        """By which errors are told: networks of one name may be others."""
        return f"{self.network} {self.digest[:8]}"


class LatencyCalibration(Record, frozen=True, kw_only=True):
    measured: tuple[MeasuredNetwork, ...]
    fits: tuple[BoardFit, ...]
    """What follows of it: one for each runtime and number of threads, where the networks are enough."""


def read_calibration(target: Target) -> LatencyCalibration | None:
    """What lies beside the target's file. Raises PredictionError where that cannot be read."""
    if not target.calibration:
        return None
    path = Path(target.calibration)
    try:
        return msgspec.json.decode(path.read_bytes(), type=LatencyCalibration)
    except (msgspec.DecodeError, OSError) as error:
        text = f"{path} is no calibration: {first_line(error)}"
        raise PredictionError(text, "remove it, and calibrate again") from error


def write_calibration(calibration: LatencyCalibration, path: Path) -> None:
    write_bytes(path, msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")


def calibrate(target: Target, known: Sequence[MeasuredNetwork], new: Sequence[MeasuredNetwork]) -> LatencyCalibration:
    """All that was measured on boards that a target describes, and the prices that follow; what is new replaces what is
    known of the same file. None follow where networks are too few and no board with the target's core has any."""
    places = {(each.runtime, each.threads, each.digest): each for each in (*known, *new)}
    measured = sorted(places.values(), key=_setting)
    fits = [_fit(target, list(of)) for _, of in groupby(measured, key=_setting)]
    return LatencyCalibration(measured=tuple(measured), fits=tuple(each for each in fits if each))


def known_prices(target: Target) -> LatencyModel:
    """Those that come with edgekit, and those that the target's runtime was calibrated with."""
    shipped, own = shipped_model(), read_calibration(target)
    alike = [each for each in own.fits if name_of(each.runtime) == target.runtime.name] if own else []
    return shipped.copy_with(fits=(*alike, *shipped.fits))


def price_files(target: Target) -> list[Path]:
    """What `known_prices` reads."""
    return [SHIPPED, *([Path(target.calibration)] if target.calibration else [])]


def _setting(measured: MeasuredNetwork) -> tuple[str, int]:
    return measured.runtime, measured.threads


def _fit(target: Target, measured: Sequence[MeasuredNetwork]) -> BoardFit | None:
    """The known prices times a number, or prices of its own where networks are many: what errs less for networks that
    were left out. Both choices are made anew for each network that an error is told of."""
    runtime, threads = _setting(measured[0])
    board = " and ".join(dict.fromkeys(each.board for each in measured))
    points = [Point(each.name, each.family, each.figures, each.milliseconds) for each in measured]
    ways = _ways(target, threads, points)
    if not ways:
        return None
    return board_fit(target, board, threads, runtime, points, lambda some: choose_way(some, ways))


def lacks_fitting() -> bool:
    """Whether what finds a board's own prices is not installed; a number is found all the same."""
    return not installed_version("scipy")


def _ways(target: Target, threads: int, points: Sequence[Point]) -> Sequence[Way]:
    shipped = shipped_model().fit_for(target, threads)
    ways: list[Way] = [partial(scale_prices, weights=at_clock(shipped, target.clock_hz))] if shipped else []
    enough = len(points) >= FEWEST_FOR_PRICES and len({each.family for each in points}) >= FEWEST_FAMILIES
    if enough and not lacks_fitting():
        ways.append(partial(fit_prices, slot_ns=slot_ns(target.cpu.split(",")[0], target.clock_hz or 10**9, threads)))
    return ways
