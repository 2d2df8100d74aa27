"""Searches over calibration samples: keep the best of Intel Neural Compressor's trials, or the better of two
quantizers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.contract.step import Context, Contract
from edgekit.errors import ModelError, StepError
from edgekit.traits import Data

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Arrays
    from edgekit.metrics.calibration_metric import CalibrationMetric

Backend = Literal["ort", "inc", "best"]
"""ONNX Runtime's quantizer, Intel Neural Compressor's with its tuner (extra `inc`), or the better of both by the
project's metric on calibration samples."""


@dataclass(frozen=True)
class QuantizedFile:
    """A quantized file with its comparison."""

    notes: dict[str, Any]
    noise: Mapping[str, float | None]
    """The SQNR of each float output in dB; None if nothing differs."""
    figure: float | None = None
    """The metric that guided a search; None without a search."""


def worst(noise: Mapping[str, float | None]) -> float:
    """The lowest SQNR of the outputs; infinite if nothing differs."""
    return min((each for each in noise.values() if each is not None), default=float("inf"))


def contract_with_search(contract: Contract, backend: Backend) -> Contract:
    """A step's contract, extended by what a search reads."""
    if backend == "ort":
        return contract
    packages = (*contract.packages, "neural-compressor")
    return replace(contract, settings=contract.settings | {"metric"}, packages=packages)


def run_backend(
    backend: Backend,
    context: Context,
    given: Path,
    path: Path,
    by_runtime: Callable[[Path], QuantizedFile],
    by_compressor: Callable[[Path, "CalibrationMetric"], QuantizedFile],
) -> QuantizedFile:
    """Quantize the float file `given` with a backend, to `path`. Raises StepError if there is no result."""
    if backend == "ort":
        return by_runtime(path)
    from edgekit.metrics.calibration_metric import CalibrationMetric

    judged = CalibrationMetric.of(context.project, context.splits[Data.CALIBRATION], given)
    if backend == "inc":
        return by_compressor(path, judged)
    return keep_better(context, judged, path, {"ort": by_runtime, "inc": lambda one: by_compressor(one, judged)})


def search_compressor(
    context: Context,
    judged: "CalibrationMetric",
    prepared: Path,
    path: Path,
    scheme: Mapping[str, Any],
    kept: Sequence[str],
    trials: int,
    finish: Callable[[Path], None],
) -> dict[str, Any]:
    """Write to `path` the best model that Intel Neural Compressor derives from the file `prepared`, whether it keeps
    the metric or not, and return how it was found. `finish` rewrites each trial's file before it is evaluated. Raises
    StepError if there is no trial, and the trials' errors."""
    from edgekit.data.calibration_batches import calibration_batches
    from edgekit.model.ports import inputs_of
    from edgekit.model.reading import load_model, save_model
    from edgekit.quantizers.neural_compressor import Goal, search
    from edgekit.scratch import temporary_folder

    ports = inputs_of(load_model(prepared).graph)
    trial, values = path.with_name("trial.onnx"), list[float]()

    def feeds() -> Iterator["Arrays"]:
        from edgekit.data.calibration_batches import calibration_batches

        return calibration_batches(context.splits, context.progress).feeds(ports)

    def judge(proto: "ModelProto") -> float:
        save_model(proto, trial)
        try:
            finish(trial)
            value = judged.value(trial)
        except ModelError as error:
            context.progress.note(f"a trial is left out: {error.message}")
            return float("-inf")
        if not values or value > max(values):
            trial.replace(path)
        values.append(value)
        context.progress.note(f"trial {len(values)}: {judged.name} {value:.5g} of {judged.floating:.5g}")
        return value

    with temporary_folder() as folder:
        goal = Goal(judge, judged.floating, judged.allowed, trials)
        search(
            prepared,
            feeds,
            calibration_batches(context.splits, context.progress).total,
            scheme,
            kept,
            goal,
            folder,
        )
    trial.unlink(missing_ok=True)
    if not values:
        raise StepError(
            "Intel Neural Compressor could not quantize this model", 'set backend = "ort", or "best", which tries both'
        )
    return {"backend": "inc", "metric": judged.name, "trials": values, "float": judged.floating}


def keep_better(
    context: Context, judged: "CalibrationMetric", path: Path, ways: Mapping[str, Callable[[Path], QuantizedFile]]
) -> QuantizedFile:
    """Keep at `path` the file with the highest metric of those that the `ways` write; of equal ones, the one with the
    highest SQNR. Raises StepError if all fail."""
    found: dict[str, tuple[float, QuantizedFile]] = {}
    failed: dict[str, str] = {}
    files = {name: path.with_name(f"{name}.onnx") for name in ways}
    for name, way in ways.items():
        try:
            made = way(files[name])
            found[name] = (judged.value(files[name]) if made.figure is None else made.figure, made)
        except (StepError, ModelError) as error:
            failed[name] = error.message
            context.progress.note(f"{name}: {error.message}")
    if not found:
        raise StepError("; ".join(failed.values()), "remove quantize from the recipe")
    best = max(found, key=lambda name: (found[name][0], worst(found[name][1].noise)))
    files[best].replace(path)
    for each in files.values():
        each.unlink(missing_ok=True)
    figure, made = found[best]
    values = {name: value for name, (value, _) in found.items()}
    fields = {"backend": best, "metric": judged.name, "float": judged.floating, "values": values, "failed": failed}
    return QuantizedFile({**made.notes, **fields}, made.noise, figure)
