"""mixed-precision: put operators back to float whose integer form is not faster. Times are measured if the target is
this machine, or predicted from counts under the target's emulator."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import DISTURBED, Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import PlanError, PredictionError, did_you_mean
from edgekit.progress import Progress
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Arrays
    from edgekit.figures.ratios import Ratio
    from edgekit.runners.qemu import QemuRunner

Ratios = Callable[[Sequence[Path]], list["Ratio"]]
"""The ratio of each other file's time to the first one's."""

_RULE = "by rule: no operator is put back to float"
_LEAST_GAIN = 0.98
"""As a ratio of times: two sessions of the same file were observed to differ by 1 %."""
_ROUNDS = 3
_SECONDS = 10.0
"""Of timing in each round, unless the fewest runs take longer."""
_RUNS = (15, 200)
"""The fewest and most runs of each file in a round."""
_MOST_MACS = 2_000_000_000
"""The largest network for which about ten emulated runs are feasible, at about a second per hundred million."""
_ALONE = "one thread, batch 1"


@dataclass(frozen=True)
class MixedPrecision(Step):
    """Put operators back to float that are faster in float, including conversions."""

    floats: Literal["measured", "none"] | tuple[str, ...] = "measured"
    """`measured` if the target is this machine, or predicted if its emulator counts and its runtime is calibrated;
    `none`, or the names of operators."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.INTEGER, Trait.PORTABLE),
        provides=facts(),
        preserves=facts(Format.ONNX, Trait.INTEGER, Trait.FOLDED, Trait.PORTABLE, Trait.STATIC, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"arch", "isa", "cpuinfo"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )
    sections = ("float-fallback",)
    feature = "onnxruntime-kernels"
    former_names = ("place",)
    fallback_option = "floats"

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def decided_by(self, target: Target) -> Any:
        """What a prediction depends on."""
        from edgekit.files import sha256_of_file
        from edgekit.host import this_host
        from edgekit.latency.board_fit import price_files

        emulator = None if self.floats != "measured" or target.is_this(this_host()) else _emulator(target)
        if emulator is None:
            return None
        values = {name: target.to_json()[name] for name in ("cpu", "caches", "clock_hz", "runtime")}
        prices = [sha256_of_file(path) for path in price_files(target)]
        return {**values, "emulator": emulator.identity(), "prices": prices}

    def is_timed(self, target: Target) -> bool:
        from edgekit.host import this_host

        return self.floats == "measured" and target.is_this(this_host())

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.inspection import file_notes
        from edgekit.model.mixed_precision import dequantize, unit_names
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.model.shapes import with_shapes

        path = context.folder / "model.onnx"
        source = with_shapes(load_model(model.path))
        names = unit_names(source)
        found = self._choice(source, names, model.path, context)
        mixed, floats = dequantize(source, found.floats)
        for name in sorted(found.floats - floats):
            raise PlanError(
                f"mixed-precision: '{name}' has no weights and its input stays quantized, so the runtime quantizes it "
                "as well",
                "keep the operator before it in float as well, or neither",
            )
        if floats:
            save_model(mixed, path)
            strip_annotations(path, model.path)
        else:
            shutil.copyfile(model.path, path)
        return Outcome(
            path,
            {
                **file_notes(path),
                "floats": [name for name in names if name in found.floats],
                "placed": found.how,
                "ratio": asdict(found.ratio) if found.ratio else None,
                **({DISTURBED: list(found.disturbed)} if found.disturbed else {}),
            },
        )

    def _choice(self, source: "ModelProto", names: Sequence[str], path: Path, context: Context) -> "PrecisionChoice":
        from edgekit.data.calibration_batches import first_calibration_samples
        from edgekit.figures.ratios import LEAST_MACS
        from edgekit.host import this_host
        from edgekit.model.feeding import feeding_of
        from edgekit.model.inspection import inspect_model
        from edgekit.model.ports import inputs_of

        if isinstance(self.floats, tuple):
            _check(self.floats, names)
            return PrecisionChoice(frozenset(self.floats), "as it was given")
        if self.floats == "none" or not names:
            return PrecisionChoice(frozenset(), "as it was given" if names else "no operator is between conversions")
        macs = inspect_model(path).macs
        if macs is not None and macs < LEAST_MACS:
            return PrecisionChoice(
                frozenset(), f"{_RULE}: {macs:,} multiply-accumulates take less time than the operator calls"
            )
        feed, _ = next(
            feeding_of(inputs_of(source.graph)).feeds(first_calibration_samples(context.splits, path).inputs, 1)
        )
        inputs = tuple(each[None] for each in feed)
        if context.target.is_this(this_host()):
            how, disturbed = f"measured on this machine, timed in turns, {_ALONE}", list[str]()
            timer = _timer(inputs, disturbed)
            found = choose_precision(timer, how, source, context.folder, context.progress)
            return replace(found, disturbed=tuple(dict.fromkeys(disturbed)))
        emulator = _emulator(context.target.target)
        if emulator is None:
            return PrecisionChoice(
                frozenset(),
                f"{_RULE}: this machine is not the target, and no latency calibration covers the comparison",
            )
        if macs is not None and macs > _MOST_MACS:
            return PrecisionChoice(frozenset(), f"{_RULE}: emulating {macs:,} multiply-accumulates takes too long")
        how = f"predicted from instruction counts under the target's emulator, {_ALONE}"
        try:
            return choose_precision(_predictor(emulator, inputs), how, source, context.folder, context.progress)
        except PredictionError as error:
            return PrecisionChoice(frozenset(), f"{_RULE}: {error.message}")


@dataclass(frozen=True)
class PrecisionChoice:
    """The operators in float, and how they were found."""

    floats: frozenset[str]
    how: str
    ratio: "Ratio | None" = None
    """The ratio of the time with these in float to that with everything in integers."""
    disturbed: tuple[str, ...] = ()
    """What disturbed the machine during timing. CPU times were compared then."""


def choose_precision(
    compared: Ratios, how: str, model: "ModelProto", folder: Path, progress: Progress
) -> PrecisionChoice:
    """The operators that are faster in float, found group by group while the whole interval of the ratio is an
    improvement. The result is then compared with all integers once more, and dropped if that does not confirm it. `how`
    describes the method."""
    from edgekit.model.mixed_precision import candidate_groups, dequantize
    from edgekit.model.reading import save_model

    def ratios(sets: Sequence[frozenset[str]]) -> list["Ratio"]:
        """The ratio of each set's time to the first one's."""
        paths = [folder / f"candidate_{number}.onnx" for number in range(len(sets))]
        for path, floats in zip(paths, sets, strict=True):
            save_model(dequantize(model, floats)[0], path)
        found = compared(paths)
        for each in paths:
            each.unlink()
        return found

    integers: frozenset[str] = frozenset()
    floats = integers
    for _ in range(_ROUNDS):
        groups = candidate_groups(model, floats)
        found = dict(zip(groups, ratios([floats, *(floats | each for each in groups.values())]), strict=True))
        value, best = min(found.items(), key=lambda each: each[1].median, default=("", None))
        if best is None or best.high >= 1 or best.median > _LEAST_GAIN:
            break
        progress.note(f"faster with {value} on floats: {best} of the time")
        floats |= groups[value]
    if not floats:
        return PrecisionChoice(integers, f"{how}: no operator is faster on floats")
    (whole,) = ratios([integers, floats])
    if whole.high >= 1 or whole.median > _LEAST_GAIN:
        return PrecisionChoice(integers, f"{how}: no operator is significantly faster on floats", whole)
    return PrecisionChoice(floats, how, whole)


def _timer(inputs: "Arrays", disturbed: list[str]) -> Ratios:
    """Times files in a separate process on these feeds. Adds to `disturbed` what disturbed the machine."""
    from edgekit.runners.native import NativeRunner
    from edgekit.runners.runner import Job
    from edgekit.runners.turns import turn_ratios

    least, most = _RUNS

    def compare(paths: Sequence[Path]) -> list["Ratio"]:
        job = Job(paths, inputs, seconds=_SECONDS / len(paths), least_runs=least, most_runs=most)
        found = turn_ratios(NativeRunner().run(job), 1)
        disturbed.extend(found.disturbed)
        return list(found.ratios)

    return compare


def _predictor(emulator: "QemuRunner", inputs: "Arrays") -> Ratios:
    """Counts files under a target's emulator on these feeds."""
    from edgekit.latency.compare import predict_ratios
    from edgekit.runners.runner import Job

    def compare(paths: Sequence[Path]) -> list["Ratio"]:
        counts = emulator.run(Job(paths, inputs, counted=True)).counts
        return predict_ratios(counts, emulator.target, 1)

    return compare


def _emulator(target: Target | None) -> "QemuRunner | None":
    """The emulator that counts for a target; None if nothing does, or if no calibration covers the predictions."""
    from edgekit.errors import EmulatorError
    from edgekit.latency.compare import is_calibrated
    from edgekit.runners.emulator import find_emulator
    from edgekit.runners.qemu import QemuRunner

    if target is None or not is_calibrated(target, 1):
        return None
    try:
        emulator = find_emulator(target)
    except EmulatorError:
        return None
    return QemuRunner(target, emulator) if emulator.plugin else None


def _check(floats: Sequence[str], names: Sequence[str]) -> None:
    for name in floats:
        if name not in names:
            raise PlanError(
                f"mixed-precision: no operator '{name}' is between conversions", did_you_mean(name, list(names))
            )
