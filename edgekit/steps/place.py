"""place: operators whose integer form is no gain, on floats again; found by timing the model where the target is this
machine."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgekit.artifact import Artifact
from edgekit.errors import StepError, did_you_mean
from edgekit.progress import Progress
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Arrays
    from edgekit.measuring.ratios import Ratio

Timed = Callable[[Sequence[Path]], Sequence[Sequence[float]]]
"""The milliseconds of every run of each of these files, timed in turns."""

_RULE = "by rule, all on integers"
_LEAST_GAIN = 0.98
"""Of the time: two sessions of the same file were seen to differ by one hundredth."""
_ROUNDS = 3
_SECONDS = 10.0
"""Of timing in each round, where as many runs as the least do not take more."""
_RUNS = (15, 200)
"""Of each file in a round."""


@dataclass(frozen=True)
class Place(Step):
    """Operators that are faster on floats than on integers, conversions and all, back on floats."""

    floats: Literal["measured", "none"] | tuple[str, ...] = "measured"
    """`measured` where the target is this machine; `none`, or the names of operators."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.INTEGER, Trait.PORTABLE),
        provides=facts(),
        preserves=facts(Format.ONNX, Trait.INTEGER, Trait.FOLDED, Trait.PORTABLE, Trait.STATIC, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"arch", "isa", "cpuinfo"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.counting import described
        from edgekit.model.placement import on_floats, unit_names
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.model.shapes import with_shapes

        path = context.folder / "model.onnx"
        source = with_shapes(load_model(model.path))
        names = unit_names(source)
        found = self._placement(source, names, model.path, context)
        placed, floats = on_floats(source, found.floats)
        for name in sorted(found.floats - floats):
            raise StepError(
                f"place: '{name}' has no weights, and what it reads stays on integers: the runtime has it there, too",
                "place the operator in front of it on floats, or leave both",
            )
        if floats:
            save_model(placed, path)
            strip_annotations(path, model.path)
        else:
            shutil.copyfile(model.path, path)
        return Outcome(
            path,
            {
                **described(path),
                "floats": [name for name in names if name in found.floats],
                "placed": found.how,
                "ratio": asdict(found.ratio) if found.ratio else None,
            },
        )

    def _placement(self, source: "ModelProto", names: Sequence[str], path: Path, context: Context) -> "Placement":
        from edgekit.host import this_host
        from edgekit.measuring.ratios import LEAST_MACS
        from edgekit.model.counting import inspected

        if isinstance(self.floats, tuple):
            _check(self.floats, names)
            return Placement(frozenset(self.floats), "as it was given")
        if self.floats == "none" or not names:
            return Placement(frozenset(), "as it was given" if names else "no operator lies between conversions")
        if not context.target.is_this(this_host()):
            return Placement(frozenset(), f"{_RULE}: this machine is not the target, so that nothing was timed")
        macs = inspected(path).macs
        if macs is not None and macs < LEAST_MACS:
            return Placement(frozenset(), f"{_RULE}: {macs:,} multiply-accumulates take less time than calls")
        inputs = context.comparison_samples(path).inputs
        return measured(source, context.folder, _timer(source, inputs), context.progress)


@dataclass(frozen=True)
class Placement:
    """Which operators are on floats, and how that was found."""

    floats: frozenset[str]
    how: str
    ratio: "Ratio | None" = None
    """Of the time with them on floats to that with everything on integers."""


def measured(model: "ModelProto", folder: Path, timed: Timed, progress: Progress) -> Placement:
    """The operators that are faster on floats: group by group, as long as one makes the whole faster beyond doubt; both
    ends are then timed once more, and the integers stay where that does not hold."""
    from edgekit.measuring.ratios import ratio_of
    from edgekit.model.placement import groups_to_try, on_floats
    from edgekit.model.reading import save_model

    def ratios(sets: Sequence[frozenset[str]]) -> list["Ratio"]:
        """Of each set's time to the first one's."""
        paths = [folder / f"candidate_{number}.onnx" for number in range(len(sets))]
        for path, floats in zip(paths, sets, strict=True):
            save_model(on_floats(model, floats)[0], path)
        first, *others = timed(paths)
        for each in paths:
            each.unlink()
        return [ratio_of(other, first) for other in others]

    how = "measured on this machine, timed in turns, one thread, batch 1"
    integers: frozenset[str] = frozenset()
    floats = integers
    for _ in range(_ROUNDS):
        groups = groups_to_try(model, floats)
        found = dict(zip(groups, ratios([floats, *(floats | each for each in groups.values())]), strict=True))
        told, best = min(found.items(), key=lambda each: each[1].median, default=("", None))
        if best is None or best.high >= 1 or best.median > _LEAST_GAIN:
            break
        progress.note(f"faster with {told} on floats: {best} of the time")
        floats |= groups[told]
    if not floats:
        return Placement(integers, f"{how}: nothing is faster on floats")
    (whole,) = ratios([integers, floats])
    if whole.high >= 1 or whole.median > _LEAST_GAIN:
        return Placement(integers, f"{how}: nothing is faster on floats beyond doubt", whole)
    return Placement(floats, how, whole)


def _timer(model: "ModelProto", inputs: "Arrays") -> Timed:
    """Times files in a process of their own on the first of these samples."""
    from edgekit.model.feeding import feeding_of
    from edgekit.model.ports import inputs_of
    from edgekit.runners.native import NativeRunner
    from edgekit.runners.runner import Job

    feed, _ = next(feeding_of(inputs_of(model.graph)).feeds(inputs, 1))
    least, most = _RUNS

    def timed(paths: Sequence[Path]) -> Sequence[Sequence[float]]:
        job = Job(
            paths,
            tuple(each[None] for each in feed),
            seconds=_SECONDS / len(paths),
            least_runs=least,
            most_runs=most,
        )
        return NativeRunner().run(job).latencies_ms

    return timed


def _check(floats: Sequence[str], names: Sequence[str]) -> None:
    for name in floats:
        if name not in names:
            raise StepError(f"place: no operator '{name}' lies between conversions", did_you_mean(name, list(names)))
