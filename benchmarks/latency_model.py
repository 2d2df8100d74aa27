"""Measure the error of latencies predicted for a Raspberry Pi: python benchmarks/latency_model.py [--check DIR]

It fits the prices of edgekit/latency to published latencies (data/pi/published.csv) and to what was counted of the same
networks under emulation (data/pi/features.csv), writes them to edgekit/latency/latency.json, and prints the errors of
networks of whose family none was fitted, with the levels; results/latency_model.json and .png show each network. Every
figure is of held-out networks, also the intervals, which come from errors that were held out a second time. However,
the two formulas were found on these very networks: "chosen" is the error if the formula, or the mean of both, is chosen
again without the family, and the levels apply to it.

--check DIR predicts the networks of another published.csv and features.csv, except for those that were fitted.
"""

import argparse
import csv
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path

import msgspec
from levels import Level, print_levels

from edgekit.latency.fitting import (
    Point,
    Weights,
    estimate,
    estimates,
    fit_prices,
    folds,
    held_out_errors,
    margin,
    scale_prices,
)
from edgekit.latency.model import SHIPPED, BoardFit, LatencyModel, at_clock, board_fit
from edgekit.latency.terms import DIVISION, FORMULAS, MEMORY, Figures, slot_ns
from edgekit.target import Target
from edgekit.target_files import find_target
from edgekit.wording import count_of

DATA = Path(__file__).parent / "data" / "pi"
RESULTS = Path(__file__).parent / "results"
BOARDS = {"rpi3b+": "rpi3", "rpi-zero2w": "rpi-zero2w", "rpi4": "rpi4", "rpi5": "rpi5"}
"""Board names in published.csv, and the targets."""
RUNTIMES = {"cortex-a53": "ncnn 20230816", "cortex-a72": "ncnn 20230816", "cortex-a76": "ncnn 20240102"}
"""The runtime version whose counts are used for a core's published latencies: that of the time of publication."""
XNNPACK = "ai-edge-litert 1.1.2"
PI5_XNNPACK = DATA / "xnnpack_pi5.csv"
"""Written by latency_xnnpack.py."""
THREADS = (1, 4)
Mean = Callable[[Sequence[float]], float]
"""Combines the estimates of both formulas."""
MEANS: Mapping[str, Mean] = {
    "by kind": lambda told: told[0],
    "by unit": lambda told: told[1],
    "both": lambda told: math.sqrt(told[0] * told[1]),
}
AIMS = {("rpi4", 1): 4, ("rpi3", 1): 7, ("rpi5", 1): 6, ("rpi4", 4): 7, ("rpi3", 4): 7, ("rpi5", 4): 7}
"""Mean absolute error in per cent."""
HELD = (85, 97)
"""The range for the percentage of held-out networks inside 90 % intervals."""
FAMILIES = {
    "mobilenet": ("mobilenet", "mobilenet_int8", "mobilenet_ssd", "mobilenet_ssd_int8", "mobilenet_yolo"),
    "mobilenet_v2": ("mobilenet_v2", "mobilenetv2_yolov3"),
    "squeezenet": ("squeezenet", "squeezenet_int8", "squeezenet_ssd", "squeezenet_ssd_int8"),
    "resnet": ("resnet18", "resnet18_int8", "resnet50", "resnet50_int8"),
    "shufflenet": ("shufflenet", "shufflenet_v2"),
    "yolo-fastest": ("yolo-fastest-1.1", "yolo-fastestv2", "FastestDet"),
    "googlenet": ("googlenet", "googlenet_int8"),
    "vgg": ("vgg16", "vgg16_int8"),
    "efficientnet": ("efficientnet_b0", "efficientnetv2_b0"),
}
"""Networks that are left out together; any other is a family of its own."""
_FAMILY = {network: family for family, networks in FAMILIES.items() for network in networks}


@dataclass(frozen=True)
class XnnpackRow:
    """A network of another runtime than the prices were fitted on."""

    target: str
    threads: int
    network: str
    published_ms: float
    predicted_ms: float
    calibrated_error: float
    """The relative error after a calibration with the board's other rows."""

    @property
    def error(self) -> float:
        return self.predicted_ms / self.published_ms - 1


@dataclass(frozen=True)
class Reported:
    """Errors of predictions for figures that are not in this repository, as they were reported."""

    points: int
    mean: float
    """Of the absolute errors, in per cent."""
    worst: float | None
    """In per cent; None if it was not reported."""
    inside: int | None
    """Points inside the range; None if it was not reported."""


REPORTED = {
    ("rpi4", 1): Reported(6, 3.2, None, 6),
    ("rpi4", 4): Reported(6, 6.0, None, 6),
    ("rpi5", 1): Reported(6, 24.6, -39.0, None),
    ("rpi5", 4): Reported(6, 38.4, -56.0, 2),
}
"""EfficientDet-Lite under TFLite with XNNPACK: published latencies that were kept back from this repository,
reported on 30 November 2026 for the prices and the range of that day."""


@dataclass(frozen=True)
class HeldOut:
    target: str
    threads: int
    network: str
    published_ms: float
    predicted_ms: float
    low_ms: float
    high_ms: float
    """The upper end of an interval from errors without its family."""

    @property
    def error(self) -> float:
        return self.predicted_ms / self.published_ms - 1

    @property
    def is_inside(self) -> bool:
        return self.low_ms <= self.published_ms <= self.high_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=Path, metavar="DIR")
    chosen = parser.parse_args()
    published, features = read(DATA / "published.csv"), figures_by_network(read(DATA / "features.csv"))
    points = all_points(published, features)
    model, kinds, xnnpack = fitted_model(points, published, features)
    SHIPPED.write_bytes(msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n")
    held = [each for (board, threads), of in points.items() for each in held_out(board, threads, of)]
    chosen_errors = {
        (BOARDS[board], threads): chosen_error(of, least_price(board, threads))
        for (board, threads), of in points.items()
    }
    print_table(held, chosen_errors)
    print_transfer(kinds, xnnpack, model.transfer)
    levels = levels_of(held, chosen_errors)
    print()
    print_levels(levels)
    values = {"levels": [asdict(each) for each in levels], "held_out": [asdict(each) for each in held]}
    values |= {"xnnpack": [asdict(each) for each in xnnpack], "transfer": kinds}
    (RESULTS / "latency_model.json").write_text(json.dumps(values, indent=1) + "\n")
    plot(held, RESULTS / "latency_model.png")
    if chosen.check:
        check(chosen.check, model, points)


def all_points(
    published: Sequence[dict[str, str]], features: dict[tuple[str, str, str], Figures]
) -> dict[tuple[str, int], list[Point]]:
    """By board and number of threads."""
    return {each: points_of(published, features, *each) for each in product(BOARDS, THREADS)}


def fitted_model(
    points: dict[tuple[str, int], list[Point]],
    published: Sequence[dict[str, str]],
    features: dict[tuple[str, str, str], Figures],
) -> tuple[LatencyModel, list[tuple[str, float]], list[XnnpackRow]]:
    """The prices, the figures that measure the uncertainty for unknown kernels (integer kernels with float prices), and
    the rows of another runtime."""
    plain = tuple(fit_of(board, threads, of) for (board, threads), of in points.items())
    kinds = transfers(points)
    pi4, pi5 = pi4_xnnpack_rows(published, features, plain), pi5_xnnpack_rows(plain)
    errors = [error for _, error in kinds] + [row.error for row in pi4]
    transfer = max(abs(math.log(1 + error)) for error in errors)
    xnnpack = [*pi4, *pi5]
    fits = tuple(
        fit.copy_with(underestimate=underestimate(BOARDS[board], threads, xnnpack))
        for fit, (board, threads) in zip(plain, points, strict=True)
    )
    source = "benchmarks/latency_model.py, of benchmarks/data/pi"
    return LatencyModel(source=source, transfer=transfer, fits=fits), kinds, xnnpack


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def figures_by_network(rows: Sequence[dict[str, str]]) -> dict[tuple[str, str, str], Figures]:
    """By runtime, core and network."""
    return {(row["runtime"], row["core"], row["model"]): figures(row) for row in rows}


def figures(row: dict[str, str]) -> Figures:
    """A row's columns in the form of `edgekit.latency.terms.figures_of`."""

    def count(*names: str) -> float:
        return sum(float(row[name] or 0) for name in names)

    last = "L3" if count("L3acc") else "L2"
    return {
        "float_products": count("q_vfma"),
        "integer_products": count("n_vimul"),
        "dot_products": count("n_dot"),
        "vector_other": count("q_valu") + DIVISION * count("n_vdiv"),
        "vector_loads": count("q_vld"),
        "vector_stores": count("q_vst"),
        "scalar_loads": count("n_sld"),
        "scalar_other": count("n_alu", "n_imul", "n_sst", "n_sfp") + DIVISION * count("n_idiv"),
        "branches": count("n_br"),
        MEMORY: count(f"{last}miss", f"{last}wb"),
    }


def points_of(
    published: Sequence[dict[str, str]], features: dict[tuple[str, str, str], Figures], board: str, threads: int
) -> list[Point]:
    """The networks of ncnn that have a published latency and counts. The latency is the fastest run: the mean of a few
    runs includes disturbances."""
    found = []
    for row in published:
        key = RUNTIMES[row["core"]], row["core"], row["model"]
        if (row["board"], row["threads"], row["runtime"]) == (board, str(threads), "ncnn") and key in features:
            network = row["model"]
            found.append(Point(network, _FAMILY.get(network, network), features[key], float(row["ms_min"])))
    return found


def least_price(board: str, threads: int) -> float:
    """The least price of an instruction, in nanoseconds."""
    target = find_target(BOARDS[board])
    return slot_ns(target.cpu, target.clock_hz or 0, threads)


def fit_of(board: str, threads: int, points: Sequence[Point]) -> BoardFit:
    target, way = find_target(BOARDS[board]), partial(fit_prices, slot_ns=least_price(board, threads))
    return board_fit(target, target.name, threads, RUNTIMES[target.cpu], points, way)


def held_out(board: str, threads: int, points: Sequence[Point]) -> list[HeldOut]:
    """Each network predicted with prices fitted without its family. Its interval comes from errors of the others, each
    of which was held out together with its own family."""
    target, least = BOARDS[board], least_price(board, threads)
    found = []
    for own, others in folds(points):
        weights = fit_prices(others, least)
        spread = math.exp(margin(list(held_out_errors(others, partial(fit_prices, slot_ns=least)).values())))
        for each in own:
            result = estimate(weights, each.figures)
            found.append(
                HeldOut(target, threads, each.network, each.milliseconds, result, result / spread, result * spread)
            )
    return found


def chosen_error(points: Sequence[Point], least: float) -> float:
    """The mean error in per cent if each family is predicted by the formula, or the mean of both, with the smallest
    error on the other families, held out one by one."""
    found = []
    for own, others in folds(points):
        inner = [(fit_prices(rest, least), left_out) for left_out, rest in folds(others)]

        def error(mean: Mean, inner: Sequence[tuple[Weights, list[Point]]] = inner) -> float:
            return statistics.fmean(each for weights, left_out in inner for each in errors_by(mean, weights, left_out))

        found += errors_by(min(MEANS.values(), key=error), fit_prices(others, least), own)
    return 100 * statistics.fmean(found)


def errors_by(mean: Mean, weights: Weights, points: Sequence[Point]) -> list[float]:
    """Relative errors."""
    return [abs(mean(estimates(weights, each.figures)) / each.milliseconds - 1) for each in points]


def transfers(points: dict[tuple[str, int], list[Point]]) -> list[tuple[str, float]]:
    """The errors of integer networks predicted with prices of float networks, whose kernels differ."""
    found = []
    for (board, threads), of in points.items():
        weights = fit_prices([each for each in of if "int8" not in each.network], least_price(board, threads))
        for each in of:
            if "int8" in each.network:
                error = estimate(weights, each.figures) / each.milliseconds - 1
                found.append((f"{BOARDS[board]}, {threads} threads, {each.network}", error))
    return found


def pi4_xnnpack_rows(
    published: Sequence[dict[str, str]], features: dict[tuple[str, str, str], Figures], fits: Sequence[BoardFit]
) -> list[XnnpackRow]:
    """XNNPACK's README, four threads of a Raspberry Pi 4 at 1.5 GHz."""
    rows = [row for row in published if row["runtime"].startswith("tflite-xnnpack")]
    (board,) = {(row["board"], row["core"], int(row["clock_hz"]), int(row["threads"])) for row in rows}
    name, core, clock, threads = board
    points = [
        Point(row["model"], row["model"], features[XNNPACK, core, row["model"]], float(row["ms_min"])) for row in rows
    ]
    return xnnpack_rows(fits, find_target(name).copy_with(clock_hz=clock), threads, points)


def pi5_xnnpack_rows(fits: Sequence[BoardFit]) -> list[XnnpackRow]:
    """Arm's model cards, four threads of a Raspberry Pi 5."""
    rows = read(PI5_XNNPACK)
    (threads,) = {int(row["threads"]) for row in rows}
    terms = [part for parts in FORMULAS["by kind"].values() for part in parts]
    points = [
        Point(row["network"], row["network"], {term: float(row[term]) for term in terms}, float(row["ms"]))
        for row in rows
    ]
    return xnnpack_rows(fits, find_target("rpi5"), threads, points)


def xnnpack_rows(fits: Sequence[BoardFit], target: Target, threads: int, points: Sequence[Point]) -> list[XnnpackRow]:
    """Networks of XNNPACK, predicted by prices of ncnn."""
    weights = weights_for(fits, target, threads)
    calibrated = held_out_errors(points, partial(scale_prices, weights=weights))
    return [
        XnnpackRow(
            target.id,
            threads,
            each.network,
            each.milliseconds,
            estimate(weights, each.figures),
            math.expm1(calibrated[each.network]),
        )
        for each in points
    ]


def underestimate(target: str, threads: int, rows: Sequence[XnnpackRow]) -> float:
    """The largest logarithm of published to predicted latency that is known of XNNPACK on a board, at least 0."""
    errors = [row.error for row in rows if (row.target, row.threads) == (target, threads)]
    reported = REPORTED.get((target, threads))
    if reported is not None and reported.worst is not None:
        errors.append(reported.worst / 100)
    return max([0.0, *(-math.log1p(error) for error in errors)])


def weights_for(fits: Sequence[BoardFit], target: Target, threads: int) -> Weights:
    fit = LatencyModel(source="", transfer=0.0, fits=tuple(fits)).fit_for(target, threads)
    assert fit
    return at_clock(fit, target.clock_hz)


def print_table(held: Sequence[HeldOut], chosen_errors: Mapping[tuple[str, int], float]) -> None:
    print("| board | threads | networks | mean error, % | chosen, % | largest | inside 90 % | interval, x |")
    print("|---|---|---|---|---|---|---|---|")
    for target in BOARDS.values():
        for threads in THREADS:
            rows = [each for each in held if (each.target, each.threads) == (target, threads)]
            worst = max(rows, key=lambda each: abs(each.error))
            inside = sum(each.is_inside for each in rows)
            spread = statistics.median(each.high_ms / each.predicted_ms for each in rows)
            errors = (
                f"{mean_error(rows):.1f} | {chosen_errors[target, threads]:.1f} | {worst.error:+.0%} {worst.network}"
            )
            print(f"| {target} | {threads} | {len(rows)} | {errors} | {inside} of {len(rows)} | {spread:.2f} |")


def print_transfer(kinds: Sequence[tuple[str, float]], xnnpack: Sequence[XnnpackRow], transfer: float) -> None:
    print("\n| XNNPACK on | threads | network | published, ms | predicted | error | by the board's others |")
    print("|---|---|---|---|---|---|---|")
    for row in xnnpack:
        figures = f"{row.published_ms:.3g} | {row.predicted_ms:.3g} | {row.error:+.0%} | {row.calibrated_error:+.0%}"
        print(f"| {row.target} | {row.threads} | {row.network} | {figures} |")
    print("\n| reported, not measured here | threads | points | mean error, % | worst, % | inside the range |")
    print("|---|---|---|---|---|---|")
    for (target, threads), each in REPORTED.items():
        worst, inside = ("not given" if value is None else f"{value:g}" for value in (each.worst, each.inside))
        print(f"| {target}, EfficientDet-Lite | {threads} | {each.points} | {each.mean:g} | {worst} | {inside} |")
    name, worst = max(kinds, key=lambda each: abs(math.log(1 + each[1])))
    print(f"\nint8 networks by prices of float ones: {worst:+.0%} at most ({name})")
    print(
        f"range where kernels are unknown: x {math.exp(transfer):.2f} to either side, and what the formulas differ by"
    )
    for target, threads in REPORTED:
        above = underestimate(target, threads, xnnpack)
        if above > transfer:
            print(f"upwards on {target}, {count_of(threads, 'thread')}: x {math.exp(above):.2f}")


def mean_error(rows: Sequence[HeldOut]) -> float:
    """In per cent."""
    return 100 * statistics.fmean(abs(each.error) for each in rows)


def levels_of(held: Sequence[HeldOut], chosen_errors: Mapping[tuple[str, int], float]) -> list[Level]:
    found = []
    for (target, threads), aim in AIMS.items():
        error = chosen_errors[target, threads]
        what = f"mean error of held-out networks, {target}, {threads} thread{'s' if threads > 1 else ''}"
        found.append(Level(what, f"{aim} %", f"{error:.1f} %", error <= aim))
    inside = 100 * statistics.fmean(each.is_inside for each in held)
    count = f"{sum(each.is_inside for each in held)} of {len(held)}"
    met = HELD[0] <= inside <= HELD[1]
    found.append(Level("held-out networks inside their 90 % interval", "85 to 97 %", f"{inside:.1f} % ({count})", met))
    return found


def plot(held: Sequence[HeldOut], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(THREADS), figsize=(9, 4.6), sharey=True)
    for axis, threads in zip(axes, THREADS, strict=True):
        for target, mark in zip(BOARDS.values(), "osD^", strict=True):
            rows = [each for each in held if (each.target, each.threads) == (target, threads)]
            truth, items = [each.published_ms for each in rows], [each.predicted_ms for each in rows]
            below = [each.predicted_ms - each.low_ms for each in rows]
            above = [each.high_ms - each.predicted_ms for each in rows]
            axis.errorbar(
                truth, items, (below, above), fmt=mark, ms=4, lw=0.6, label=f"{target}, {mean_error(rows):.1f} %"
            )
        ends = [2, 3000]
        axis.plot(ends, ends, color="grey", lw=0.8)
        axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="published, ms")
        axis.set_title(f"{threads} thread{'s' if threads > 1 else ''}", fontsize=10)
        axis.legend(title="board, mean error", fontsize=8, title_fontsize=8)
    axes[0].set_ylabel("predicted, ms, with its 90 % interval")
    figure.suptitle("ncnn on Raspberry Pis: networks whose family no price was fitted on", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def check(folder: Path, model: LatencyModel, known: dict[tuple[str, int], list[Point]]) -> None:
    """Print the errors of networks that were not fitted, with the prices that were written."""
    published, features = read(folder / "published.csv"), figures_by_network(read(folder / "features.csv"))
    print("\n| kept back | threads | network | published, ms | predicted | error | inside 90 % |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for (board, threads), of in known.items():
        fit = model.fit_for(find_target(BOARDS[board]), threads)
        assert fit
        fitted_on = {each.network for each in of}
        for each in points_of(published, features, board, threads):
            if each.network in fitted_on:
                continue
            assert fit.margin is not None
            result, spread = estimate(fit.weights, each.figures), math.exp(fit.margin)
            row = HeldOut(
                BOARDS[board], threads, each.network, each.milliseconds, result, result / spread, result * spread
            )
            rows.append(row)
            figures = f"{row.published_ms:.1f} | {result:.1f} | {row.error:+.0%} | {'yes' if row.is_inside else 'no'}"
            print(f"| {row.target} | {threads} | {row.network} | {figures} |")
    for target in BOARDS.values():
        for threads in THREADS:
            own = [each for each in rows if (each.target, each.threads) == (target, threads)]
            if own:
                print(f"{target}, {threads} threads: mean error {mean_error(own):.1f} % of {len(own)}")


if __name__ == "__main__":
    main()
