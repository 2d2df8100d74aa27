"""Calibrate latency prediction: time networks on a board, count them under its emulator, and fit prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.benchmarking.candidates import Candidate, MissingCandidate, find_candidates
from edgekit.benchmarking.figures import median_latency
from edgekit.benchmarking.inputs import feeds_of
from edgekit.benchmarking.run import timing_job
from edgekit.errors import ModelError, PredictionError, RunError, RunnerError
from edgekit.files import sha256_of_file
from edgekit.instruction_counts.counts import Counts
from edgekit.latency.board_fit import (
    LatencyCalibration,
    MeasuredNetwork,
    calibrate,
    read_calibration,
    write_calibration,
)
from edgekit.latency.predict import Prediction, predict_latency
from edgekit.latency.terms import figures_of
from edgekit.progress import Progress
from edgekit.runners.emulator import find_emulator
from edgekit.runners.environment import disturbances
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Job, Runner
from edgekit.runners.ssh import SshRunner
from edgekit.scratch import temporary_folder
from edgekit.target import Target


@dataclass(frozen=True)
class BoardCalibration:
    """The result of a latency calibration."""

    target: Target
    place: str
    """A description of the board."""
    path: Path
    """Where it was written."""
    calibration: LatencyCalibration
    new: tuple[MeasuredNetwork, ...]
    before: tuple[Prediction | None, ...]
    """The prediction for each network before this calibration; None where there was none."""
    absent: tuple[MissingCandidate, ...]
    """Networks that the target's runtime does not run."""
    disturbed: tuple[str, ...]
    """Networks whose times are unreliable, and why."""


def calibrate_board(
    runner: Runner,
    target: Target,
    families: Mapping[Path, str],
    threads: Sequence[int],
    seconds: float,
    path: Path,
    progress: Progress,
) -> BoardCalibration:
    """Time networks on a board with each thread count, at most `seconds` each, and count them under the target's
    emulator. The calibration at `path` is updated. `families` gives each model's family; a family is left out as a
    whole when errors are estimated.

    Measurements are written even if a later step fails. Raises RunnerError if the runner has no times, PredictionError
    if nothing can be counted, ModelError for an invalid model and if none runs, and what `Runner.run` raises.
    """
    if not runner.fidelity.has_times:
        raise RunnerError(
            f"{runner.identity()} measured no latencies", "give the board's address: --runner ssh://USER@HOST"
        )
    emulator = QemuRunner(target, find_emulator(target))
    board = (runner.board.report.model if isinstance(runner, SshRunner) else "") or target.name
    found = read_calibration(target) or LatencyCalibration(measured=(), fits=())
    disturbed: list[str] = []
    new: list[MeasuredNetwork] = []
    before: list[Prediction | None] = []
    with temporary_folder() as folder:
        contenders, absent = find_candidates(list(families), [target.runtime.name], target, folder, here=False)
        try:
            for number, each in enumerate(contenders):
                progress.advanced("calibrating", number, len(contenders), each.model.name)
                feeds = feeds_of(each.model, 1, 1, {}, None)
                try:
                    counts = _counts(emulator, each, feeds, target)
                    for count in threads:
                        milliseconds, why = _median_latency(runner, each, feeds, target, count, seconds)
                        disturbed += [f"{each.model.stem}: {one}" for one in why]
                        new.append(_network_latencies(each, families, counts, target, count, milliseconds, board))
                        before.append(_earlier(counts, target, count))
                except RunError as error:
                    absent.append(
                        MissingCandidate(each.model.name, str(target.runtime), f"{error.message}; {error.hint}")
                    )
        finally:
            if new:
                found = calibrate(target, found.measured, new)
                write_calibration(found, path)
        progress.advanced("calibrating", len(contenders), len(contenders))
    if not new:
        raise ModelError(f"{absent[0].model} does not run under {target.runtime}: {absent[0].why}", "take another")
    items = tuple(new), tuple(before), tuple(absent), tuple(dict.fromkeys(disturbed))
    return BoardCalibration(target, runner.identity(), path, found, *items)


def _counts(emulator: QemuRunner, contender: Candidate, feeds: Arrays, target: Target) -> Counts:
    result = emulator.run(Job([contender.file], feeds, 1, counted=True, runtimes=[target.runtime]))
    if not result.counts:
        raise PredictionError(f"the latency calibration needs instruction counts: {result.uncounted}", "then again")
    return result.counts[0]


def _median_latency(
    runner: Runner, contender: Candidate, feeds: Arrays, target: Target, threads: int, seconds: float
) -> tuple[float, Sequence[str]]:
    """The median latency in milliseconds, and why it is unreliable."""
    job = timing_job([contender.file], feeds, threads, seconds)
    result = runner.run(replace(job, runtimes=[target.runtime]))
    if not result.runtime.startswith(f"{target.runtime.name} {target.runtime.version}"):
        text = f"the board ran {result.runtime}, but the target has {target.runtime}"
        raise RunnerError(
            text, "install the target's version on the board, or write the board's version into the target file"
        )
    return median_latency(contender.name, result).value, disturbances(result, threads)


def _network_latencies(
    contender: Candidate,
    families: Mapping[Path, str],
    counts: Counts,
    target: Target,
    threads: int,
    milliseconds: float,
    board: str,
) -> MeasuredNetwork:
    return MeasuredNetwork(
        network=contender.model.stem,
        family=families[contender.model],
        digest=sha256_of_file(contender.file),
        runtime=str(target.runtime),
        threads=threads,
        milliseconds=milliseconds,
        figures=dict(figures_of(counts)),
        board=board,
        when=date.today().isoformat(),
    )


def _earlier(counts: Counts, target: Target, threads: int) -> Prediction | None:
    """The prediction before this calibration."""
    try:
        return predict_latency(counts, target, threads)
    except PredictionError:
        return None
