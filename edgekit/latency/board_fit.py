"""Latency calibration: network latencies measured on a user's board and the prices fitted to them, stored beside the
target's file."""

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
from edgekit.paths import read_regular
from edgekit.records import Record
from edgekit.target import Target

FEWEST_FOR_PRICES = 12
"""Networks for own prices: more than there are prices."""


class MeasuredNetwork(Record, frozen=True, kw_only=True):
    """A network measured on a board."""

    network: str
    family: str
    digest: str
    """Of the file that ran."""
    runtime: str
    threads: int
    milliseconds: float
    """The median of its runs."""
    figures: dict[str, float]
    """The counts of one run, in the form of `edgekit.latency.terms.figures_of`."""
    board: str
    when: str
    """The date."""

    @property
    def name(self) -> str:
        """A unique name for reporting errors, since several networks may have the same file name."""
        return f"{self.network} {self.digest[:8]}"


_MOST_BYTES = 64_000_000


class LatencyCalibration(Record, frozen=True, kw_only=True):
    measured: tuple[MeasuredNetwork, ...]
    fits: tuple[BoardFit, ...]
    """The fits: one for each runtime and thread count with enough networks."""


def read_calibration(target: Target) -> LatencyCalibration | None:
    """The calibration beside the target's file. Raises PredictionError if it cannot be read."""
    if not target.calibration:
        return None
    path = Path(target.calibration)
    try:
        return msgspec.json.decode(read_regular(path, _MOST_BYTES), type=LatencyCalibration)
    except (msgspec.DecodeError, RecursionError, OSError) as error:
        text = f"{path} is not a latency calibration: {first_line(error)}"
        raise PredictionError(text, "remove it and run edgekit calibrate again") from error


def write_calibration(calibration: LatencyCalibration, path: Path) -> None:
    write_bytes(path, msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")


def calibrate(target: Target, known: Sequence[MeasuredNetwork], new: Sequence[MeasuredNetwork]) -> LatencyCalibration:
    """All measurements on boards of a target, and the prices fitted to them. A new measurement replaces the known one
    of the same file. There are no prices if there are too few networks and no shipped prices for the target's core."""
    places = {(each.runtime, each.threads, each.digest): each for each in (*known, *new)}
    measured = sorted(places.values(), key=_setting)
    fits = [_fit(target, list(of)) for _, of in groupby(measured, key=_setting)]
    return LatencyCalibration(measured=tuple(measured), fits=tuple(each for each in fits if each))


def known_prices(target: Target) -> LatencyModel:
    """The prices that come with edgekit and those of the target's calibration."""
    shipped, own = shipped_model(), read_calibration(target)
    alike = [each for each in own.fits if name_of(each.runtime) == target.runtime.name] if own else []
    return shipped.copy_with(fits=(*alike, *shipped.fits))


def price_files(target: Target) -> list[Path]:
    """The files that `known_prices` reads."""
    return [SHIPPED, *([Path(target.calibration)] if target.calibration else [])]


def _setting(measured: MeasuredNetwork) -> tuple[str, int]:
    return measured.runtime, measured.threads


def _fit(target: Target, measured: Sequence[MeasuredNetwork]) -> BoardFit | None:
    """Shipped prices times a factor or, with enough networks, own prices: whichever has the smaller error on held-out
    networks. Both choices are repeated for each held-out network."""
    runtime, threads = _setting(measured[0])
    board = " and ".join(dict.fromkeys(each.board for each in measured))
    points = [Point(each.name, each.family, each.figures, each.milliseconds) for each in measured]
    ways = _ways(target, threads, points)
    if not ways:
        return None
    return board_fit(target, board, threads, runtime, points, lambda some: choose_way(some, ways))


def lacks_fitting() -> bool:
    """Whether the package that fits own prices is missing. A factor is fitted without it."""
    return not installed_version("scipy")


def _ways(target: Target, threads: int, points: Sequence[Point]) -> Sequence[Way]:
    shipped = shipped_model().fit_for(target, threads)
    ways: list[Way] = [partial(scale_prices, weights=at_clock(shipped, target.clock_hz))] if shipped else []
    enough = len(points) >= FEWEST_FOR_PRICES and len({each.family for each in points}) >= FEWEST_FAMILIES
    if enough and not lacks_fitting():
        ways.append(partial(fit_prices, slot_ns=slot_ns(target.cpu.split(",")[0], target.clock_hz or 10**9, threads)))
    return ways
