"""Verify the deployed model: run it where the target's instruction set runs, measure it, and evaluate the gates."""

import filecmp
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.data.listing import raw_file
from edgekit.data.split import Split
from edgekit.errors import EdgekitError, EmulatorError, PredictionError, RunError
from edgekit.figures.measurement import Measurement, latency_measurements, static_measurements
from edgekit.formats import format_of
from edgekit.gates.gates import Gate, Status, budget_gates, parity_gate, shapes_of
from edgekit.gates.speed import speed_gate
from edgekit.gates.verdict import Verdict
from edgekit.project.project import Project
from edgekit.target import Budgets, Target
from edgekit.traits import Fidelity, Format
from edgekit.wording import format_metric

if TYPE_CHECKING:
    from edgekit.arrays import Array, Arrays
    from edgekit.figures.ratios import Ratio
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


def verify(
    project: Project,
    split: Split,
    target: Target,
    candidates: EvaluatedModels,
    runner: "Runner | EmulatorError",
    golden: Path,
) -> Verdict:
    """Run the deployed model over the evaluation split where the target's instruction set runs, and evaluate the gates.

    `runner` may be the error that explains why there is none: gates that need it are then not run. The first feed of
    the evaluation split and its outputs are written to `golden` as .npz with arrays input_N and output_N, and the image
    or sound that the feed comes from beside it as golden_raw.*.
    """
    from edgekit.benchmarking.predicted_latency import predict_run
    from edgekit.metrics.metric import unit_of
    from edgekit.runners.native import native_outputs

    deployed, float_student, reference = candidates.deployed, candidates.float_student, candidates.reference
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
    if isinstance(result, EdgekitError):
        _write_golden(golden, split, samples.feeds, expected)
    else:
        given = tuple(result.outputs[0])
        _write_golden(golden, split, samples.feeds, given)
        measurements += _run_measurements(result, deployed, float_student)
        if samples.complete and result.fidelity is not Fidelity.NATIVE and shapes_of(given) == shapes_of(expected):
            value = _metric_on_target(project, split, deployed, reference, samples, given)
            text = f"over the whole split{f': {deployed.data}' if deployed.data else ''}"
            measurements.append(Measurement(deployed.name, "metric", value, unit, result.fidelity, text))
    budgets, unpredicted = merge_budgets(target.budgets, project.budgets), ""
    if not isinstance(result, EdgekitError) and not result.fidelity.has_times:
        forecast = predict_run(deployed.name, result, target, 1, 1)
        measurements += [forecast] if isinstance(forecast, Measurement) else []
        unpredicted = forecast if isinstance(forecast, str) else ""
    gates = [parity_gate(deployed.path, samples.feeds, expected, result)]
    gates += metric_gates(project, target, candidates)
    own = [one for one in measurements if one.model == deployed.name]
    gates += budget_gates(budgets, target, own, result, unpredicted)
    if float_student.path != deployed.path:
        ratio = _predicted_ratio(runner, target, deployed, float_student, samples.feeds, result)
        gates.append(speed_gate(deployed.path, budgets.max_latency_ratio, result, ratio))
    return Verdict(tuple(gates), tuple(measurements))


def _similarities(project: Project, one: EvaluatedModel) -> list[Measurement]:
    """The similarity metrics other than the project's metric."""
    from edgekit.metrics.named import NAMED

    text = "of the float model's time"
    return [
        Measurement(one.name, name, value, NAMED[name].unit, Fidelity.NATIVE, text)
        for name, value in one.similarity.items()
        if name != project.metric
    ]


def merge_budgets(target: Budgets, project: Budgets) -> Budgets:
    """The target's default budgets, overridden by the project's."""
    values = {key: value for key, value in project.to_json().items() if value is not None}
    return target.copy_with(**values)


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


def _predicted_ratio(
    runner: "Runner | EmulatorError",
    target: Target,
    deployed: EvaluatedModel,
    float_student: EvaluatedModel,
    inputs: "Arrays",
    result: "Result | EdgekitError",
) -> "Ratio | None":
    """The ratio of the deployed model's time to the float student's, predicted from counts under the target's emulator;
    None if nothing is counted or no calibration covers the target."""
    from edgekit.latency.compare import is_calibrated, predict_ratios
    from edgekit.runners.runner import Job

    if isinstance(runner, EdgekitError) or isinstance(result, EdgekitError) or not result.counts:
        return None
    if format_of(deployed.path) is not Format.ONNX or not is_calibrated(target, 1):
        return None
    try:
        other = runner.run(Job([float_student.path], tuple(each[:1] for each in inputs), counted=True))
        return predict_ratios([*other.counts, *result.counts], target, 1)[0]
    except (RunError, PredictionError):
        return None


def _run_measurements(result: "Result", deployed: EvaluatedModel, float_student: EvaluatedModel) -> list[Measurement]:
    from edgekit.benchmarking.figures import peak_memory

    outcome = peak_memory(deployed.name, result) if len(result.outputs) == 1 else []
    for candidate, latencies in zip((deployed, float_student), result.latencies_ms, strict=False):
        outcome += latency_measurements(candidate.name, latencies, result.fidelity, "1 thread, batch 1")
    return outcome


def metric_gates(project: Project, target: Target, candidates: EvaluatedModels) -> list[Gate]:
    """Whether the deployed model's metric keeps the budgets. A model that is left as given cannot lose anything."""
    from edgekit.metrics.metric import unit_of

    deployed, reference, unit = candidates.deployed, candidates.reference, unit_of(project)
    budgets = merge_budgets(target.budgets, project.budgets)
    gates = []
    drop = reference.metric - deployed.metric
    if budgets.max_drop is not None and (drop or not filecmp.cmp(deployed.path, reference.path, shallow=False)):
        value, other = format_metric(deployed.metric, unit), format_metric(reference.metric, unit)
        text = f"{value} {unit} against {other}: {format_metric(drop, unit, signed=True)} lost"
        holds = drop <= budgets.max_drop + 1e-9
        # The reference itself always exceeds chance in a metric that compares with it.
        luck = reference.luck(unit) or (deployed.luck(unit) if deployed.similarity else "")
        gates.append(_figure_gate("drop", holds, f"{text}, allowed {budgets.max_drop:g}", luck))
    if budgets.min_metric is not None:
        holds = deployed.metric >= budgets.min_metric
        text = f"{format_metric(deployed.metric, unit)} {unit}, at least {budgets.min_metric:g}"
        gates.append(_figure_gate("metric", holds, text, deployed.luck(unit)))
    return gates


def _figure_gate(name: str, holds: bool, text: str, luck: str) -> Gate:
    """Failed if the figure does not hold. If it holds but chance would reach it as well, the gate is not run."""
    if holds and luck:
        return Gate(name, Status.NOT_RUN, f"{text}; {luck}")
    return Gate(name, Status.PASSED if holds else Status.FAILED, text)


def _write_golden(path: Path, split: Split, feeds: Sequence["Array"], outputs: Sequence["Array"]) -> None:
    """Write the first feed and its outputs, and beside them the image or sound that its first sample comes from."""
    import numpy as np

    raw = raw_file(split.origin(0))
    if raw is not None:
        shutil.copyfile(raw, path.with_name(f"golden_raw{raw.suffix.lower()}"))

    pair = {f"input_{i}": each[0] for i, each in enumerate(feeds)}
    pair.update({f"output_{i}": each[0] for i, each in enumerate(outputs)})
    np.savez(path, **pair)
