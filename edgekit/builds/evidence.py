"""The evidence for a verdict: what is measured of the deployed model where the target's instruction set runs. It does
not depend on budgets, so that a changed budget measures nothing again."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgekit.data.listing import raw_file
from edgekit.data.split import Split
from edgekit.errors import EdgekitError, EmulatorError, PredictionError, RunError
from edgekit.figures.measurement import Measurement, latency_measurements, static_measurements
from edgekit.figures.ratios import LEAST_MACS, ratio_of
from edgekit.formats import format_of
from edgekit.gates.gates import Gate, parity_gate, shapes_of, why_missing
from edgekit.gates.speed import SpeedComparison
from edgekit.project.project import Project
from edgekit.target import Target
from edgekit.traits import Fidelity, Format
from edgekit.wording import disturbed_words, format_metric

if TYPE_CHECKING:
    from edgekit.arrays import Array, Arrays
    from edgekit.instruction_counts.counts import Counts
    from edgekit.runners.runner import Result, Runner

_SAMPLES = 1024
_EMULATED_MACS = 3_000_000_000
"""What an emulated core computes in about half a minute."""
_TIMING_SECONDS = 1.5


@dataclass(frozen=True)
class EvaluatedModel:
    """A model file that takes part in a verdict, with its metric on this machine."""

    name: str
    path: Path
    metric: float
    chance: float | None = None
    """The metric that chance can reach; None where it is unknown."""
    similarity: Mapping[str, float] = field(default_factory=dict)
    """To the file that a project starts from, by metric."""
    data: str = ""
    """A remark on the evaluation data, from the data itself."""

    def luck(self, unit: str) -> str:
        """Why the metric is not informative, if it does not exceed chance."""
        if self.chance is None or self.metric > self.chance:
            return ""
        value, chance = format_metric(self.metric, unit), format_metric(self.chance, unit)
        return f"the {self.name}'s {value} {unit} is not above chance level, {chance}"


@dataclass(frozen=True)
class EvaluatedModels:
    """The models of a verdict."""

    deployed: EvaluatedModel
    float_student: EvaluatedModel
    reference: EvaluatedModel
    stages: tuple[tuple[str, float], ...] = ()
    """The steps on the way to the deployed model, with the metric after each on this machine."""

    def largest_loss(self) -> tuple[str, float] | None:
        """The step after which the metric fell most, and by how much; None if it fell nowhere. The first step is
        compared with the reference."""
        metrics = pairwise([("", self.reference.metric), *self.stages])
        losses = [(name, before - after) for (_, before), (name, after) in metrics if after < before]
        return max(losses, key=lambda each: each[1], default=None)


@dataclass(frozen=True)
class Evidence:
    """What was measured for a verdict."""

    measurements: tuple[Measurement, ...]
    parity: Gate
    speed: SpeedComparison
    missing: str = ""
    """Why the deployed model was not run, and what to do."""
    unpredicted: str = ""
    """Why no latency is predicted under emulation, and what to do."""
    disturbed: tuple[str, ...] = ()
    """What disturbed the machine during timing."""

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "measurements": [each.to_json() for each in self.measurements],
            "parity": self.parity.to_json(),
        }


def evidence_from_json(values: Mapping[str, Any]) -> Evidence:
    """The inverse of `Evidence.to_json`; further keys are ignored."""
    return msgspec.convert(values, Evidence)


def gather_evidence(
    project: Project,
    split: Split,
    target: Target,
    models: EvaluatedModels,
    runner: "Runner | EmulatorError",
    golden: Path,
) -> Evidence:
    """Run the deployed model over the evaluation split where the target's instruction set runs, and measure it there.

    `runner` may be the error that explains why there is none. The first feed of the evaluation split and its outputs
    are written to `golden` as .npz with arrays input_N and output_N, and the image or sound that the feed comes from
    beside it as golden_raw.*.
    """
    from edgekit.benchmarking.predicted_latency import predict_run
    from edgekit.metrics.metric import unit_of
    from edgekit.runners.environment import disturbances
    from edgekit.runners.native import native_outputs

    deployed, float_student, reference = models.deployed, models.float_student, models.reference
    unit = unit_of(project)
    measurements = [
        measurement
        for one in (deployed, float_student, reference)
        for measurement in (
            Measurement(one.name, "metric", one.metric, unit, Fidelity.NATIVE, one.data),
            *_similarities(project, one),
            *static_measurements(one.name, one.path),
        )
    ]
    samples = _samples(split, deployed.path)
    expected = native_outputs(deployed.path, samples.feeds, target)
    result = _run_models(runner, deployed, float_student, samples.feeds)
    parity = parity_gate(deployed.path, samples.feeds, expected, result)
    if isinstance(result, EdgekitError):
        _write_golden(golden, split, samples.feeds, expected)
        return Evidence(tuple(measurements), parity, SpeedComparison(), why_missing(result))
    given = tuple(result.outputs[0])
    _write_golden(golden, split, samples.feeds, given)
    disturbed = tuple(disturbances(result, 1)) if result.rounds else ()
    measurements += _run_measurements(result, deployed, float_student, disturbed)
    if samples.complete and result.fidelity is not Fidelity.NATIVE and shapes_of(given) == shapes_of(expected):
        value = _metric_on_target(project, split, deployed, reference, samples, given)
        text = f"over the whole split{f': {deployed.data}' if deployed.data else ''}"
        measurements.append(Measurement(deployed.name, "metric", value, unit, result.fidelity, text))
    unpredicted = ""
    if not result.fidelity.has_times:
        forecast = predict_run(deployed.name, result, target, 1, 1)
        measurements += [forecast] if isinstance(forecast, Measurement) else []
        unpredicted = forecast if isinstance(forecast, str) else ""
    speed = _compare_speed(runner, target, deployed, float_student, samples.feeds, result)
    return Evidence(tuple(measurements), parity, speed, "", unpredicted, disturbed)


def _similarities(project: Project, one: EvaluatedModel) -> list[Measurement]:
    """The similarity metrics other than the project's metric."""
    from edgekit.metrics.named import NAMED

    text = "compared with the model as given"
    return [
        Measurement(one.name, name, value, NAMED[name].unit, Fidelity.NATIVE, text)
        for name, value in one.similarity.items()
        if name != project.metric
    ]


@dataclass(frozen=True)
class _Samples:
    """Evaluation samples in the form that a model takes."""

    feeds: "Arrays"
    counts: tuple[int, ...]
    """How many samples each feed holds; the last feed may be padded."""
    first: "Arrays"
    """The first sample in the split's form."""
    targets: Any
    complete: bool
    """Whether these are all samples of the split."""


def _metric_on_target(
    project: Project,
    split: Split,
    deployed: EvaluatedModel,
    reference: EvaluatedModel,
    samples: _Samples,
    given: "Arrays",
) -> float:
    """The metric of the deployed model's outputs on the target."""
    from edgekit.metrics.evaluation import ModelRuns, file_outputs
    from edgekit.metrics.metric import comparing_score, metric_value

    running = ModelRuns.of(deployed.path, exact=True, sample=samples.first)
    parts = [*zip(zip(*given, strict=True), samples.counts, strict=True)]
    score = comparing_score(project)
    if score:
        return score(running.by_sample(parts), file_outputs(reference.path, split, exact=True))
    return metric_value(project, running.join(parts), samples.targets)


def _samples(split: Split, path: Path) -> _Samples:
    """As many evaluation samples of one shape as an emulated CPU can process in time."""
    import numpy as np

    from edgekit.formats import inspect_file
    from edgekit.model.feeding import feeding_of

    found = inspect_file(path)
    feeding = feeding_of(found.inputs)
    size = feeding.size or 1
    count = max(8, min(_SAMPLES, _EMULATED_MACS // max(found.macs or 1_000_000, 1)))
    inputs, labels, read = split.alike(limit=count // size * size + size)
    complete = len(inputs[0]) == read <= count
    kept = len(inputs[0]) if complete else count // size * size
    feeds, counts = zip(*feeding.feeds(tuple(each[:kept] for each in inputs), 1), strict=True)
    stacked = tuple(np.stack(each) for each in zip(*feeds, strict=True))
    return _Samples(stacked, counts, tuple(each[:1] for each in inputs), labels, complete)


def _run_models(
    runner: "Runner | EmulatorError", deployed: EvaluatedModel, float_student: EvaluatedModel, inputs: "Arrays"
) -> "Result | EdgekitError":
    from edgekit.runners.runner import Job

    if isinstance(runner, EdgekitError):
        return runner
    timed = runner.fidelity.has_times
    beside = timed and float_student.path != deployed.path and format_of(deployed.path) is Format.ONNX
    models = [deployed.path, float_student.path] if beside else [deployed.path]
    try:
        return runner.run(Job(models, inputs, seconds=_TIMING_SECONDS if timed else 0.0, counted=not timed))
    except RunError as error:
        return error


def _compare_speed(
    runner: "Runner | EmulatorError",
    target: Target,
    deployed: EvaluatedModel,
    float_student: EvaluatedModel,
    inputs: "Arrays",
    result: "Result",
) -> SpeedComparison:
    """How the deployed model's time compares with the float student's: measured, else predicted from counts under the
    target's emulator, else by the counted instructions."""
    if len(result.latencies_ms) > 1:
        cpu_times = ratio_of(*result.cpu_ms[:2]) if len(result.cpu_ms) > 1 else None
        return SpeedComparison(ratio_of(*result.latencies_ms[:2]), cpu_times)
    before = _float_counts(runner, deployed, float_student, inputs) if result.counts else None
    if before is None:
        return SpeedComparison()
    from edgekit.latency.compare import is_calibrated, predict_ratios

    instructions = result.counts[0].total / before.total
    try:
        ratios = predict_ratios([before, result.counts[0]], target, 1) if is_calibrated(target, 1) else []
    except PredictionError:
        ratios = []
    return SpeedComparison(predicted=ratios[0] if ratios else None, instructions=instructions)


def _float_counts(
    runner: "Runner | EmulatorError", deployed: EvaluatedModel, float_student: EvaluatedModel, inputs: "Arrays"
) -> "Counts | None":
    """The counts of a run of the float student under the target's emulator; None if it is deployed itself, if the
    runtime does not run it, and for a network so small that its time is that of the runtime's calls."""
    from edgekit.formats import inspect_file
    from edgekit.runners.runner import Job

    if isinstance(runner, EdgekitError) or float_student.path == deployed.path:
        return None
    macs = inspect_file(deployed.path).macs
    if format_of(deployed.path) is not Format.ONNX or (macs is not None and macs < LEAST_MACS):
        return None
    try:
        other = runner.run(Job([float_student.path], tuple(each[:1] for each in inputs), counted=True))
    except RunError:
        return None
    return other.counts[0] if other.counts else None


def _run_measurements(
    result: "Result", deployed: EvaluatedModel, float_student: EvaluatedModel, disturbed: Sequence[str]
) -> list[Measurement]:
    from edgekit.benchmarking.figures import peak_memory

    outcome = peak_memory(deployed.name, result) if len(result.outputs) == 1 else []
    text = "1 thread, batch 1" + (f"; {disturbed_words(disturbed)}" if disturbed else "")
    for one, latencies in zip((deployed, float_student), result.latencies_ms, strict=False):
        outcome += latency_measurements(one.name, latencies, result.fidelity, text)
    return outcome


def _write_golden(path: Path, split: Split, feeds: Sequence["Array"], outputs: Sequence["Array"]) -> None:
    """Write the first feed and its outputs, and beside them the image or sound that its first sample comes from."""
    import numpy as np

    raw = raw_file(split.origin(0))
    if raw is not None:
        shutil.copyfile(raw, path.with_name(f"golden_raw{raw.suffix.lower()}"))

    pair = {f"input_{i}": each[0] for i, each in enumerate(feeds)}
    pair.update({f"output_{i}": each[0] for i, each in enumerate(outputs)})
    np.savez(path, **pair)
