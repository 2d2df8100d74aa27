from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from onnx import ModelProto

from edgekit.contract.registry import step_from
from edgekit.contract.step import DISTURBED, Outcome, TargetView
from edgekit.errors import PlanError, RunError
from edgekit.figures.ratios import Ratio, ratio_of
from edgekit.host import this_host
from edgekit.model.facts import observed_facts
from edgekit.model.mixed_precision import unit_names
from edgekit.model.reading import load_model
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.report.integers import precision_lines
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job, Result, Round
from edgekit.steps import mixed_precision
from edgekit.steps.mixed_precision import MixedPrecision, PrecisionChoice, choose_precision
from edgekit.target_files import find_target
from edgekit.traits import Trait
from tests.instruction_counts.compiler import needs_compiler
from tests.latency.test_board_fit import known, slower, with_file

ALL = ["stem", "deep", "point", "add", "mean"]


def priced(path: Path, integer: dict[str, float], floating: dict[str, float], conversion: float) -> float:
    """What a file takes where every operator and every conversion has its price."""
    model = load_model(path)
    on_integers = set(unit_names(model))
    conversions = sum(node.op_type == "QuantizeLinear" for node in model.graph.node)
    prices = (integer[name] if name in on_integers else floating[name] for name in ALL)
    return sum(prices) + conversion * conversions


def found(
    model: Path, folder: Path, integer: Sequence[float], floating: Sequence[float], conversion: float = 0.1
) -> tuple[PrecisionChoice, int]:
    """The choice, and how many files were timed for it."""
    tables = [dict(zip(ALL, each, strict=True)) for each in (integer, floating)]
    timed: list[Path] = []

    def clock(paths: Sequence[Path]) -> list[Ratio]:
        timed.extend(paths)
        first, *others = ([priced(path, *tables, conversion)] * 30 for path in paths)
        return [ratio_of(other, first) for other in others]

    choice = choose_precision(clock, "measured", load_model(model), folder, Silent())
    assert not list(folder.glob("candidate*"))
    return choice, len(timed)


def test_what_is_faster_dequantize_goes_there_conversions_and_all(in_conversions: Path, tmp_path: Path) -> None:
    choice, _ = found(in_conversions, tmp_path, [2, 1, 1, 1, 1], [1.5, 1.05, 3, 3, 3])
    assert choice.floats == {"stem", "deep"}, "the second costs more by itself, and less than the conversion between"
    assert choice.ratio is not None
    assert choice.ratio.median == pytest.approx((1.5 + 1.05 + 3 + 0.4) / (6 + 0.6))
    assert choice.how == "measured"


def test_a_run_of_operators_goes_together(in_conversions: Path, tmp_path: Path) -> None:
    choice, _ = found(in_conversions, tmp_path, [2, 2, 9, 9, 2], [1, 5, 1, 1, 1])
    assert choice.floats == {"stem", "deep", "point", "add", "mean"}
    assert choice.how.startswith("measured")


def test_where_nothing_is_faster_the_integers_stay(in_conversions: Path, tmp_path: Path) -> None:
    choice, timed = found(in_conversions, tmp_path, [1] * 5, [2] * 5)
    assert (choice.floats, choice.ratio, timed) == (frozenset(), None, 7), "one round tells"
    assert choice.how.endswith("no operator is faster on floats")


def test_a_gain_that_does_not_last_is_none(in_conversions: Path, tmp_path: Path) -> None:
    rounds = iter([0.9, 0.99, 1.01])

    def clock(paths: Sequence[Path]) -> list[Ratio]:
        factor = next(rounds)
        return [Ratio(factor, factor, factor) for _ in paths[1:]]

    choice = choose_precision(clock, "measured", load_model(in_conversions), tmp_path, Silent())
    assert choice.floats == frozenset()
    assert choice.ratio is not None and choice.ratio.median == pytest.approx(1.01)
    assert "significantly" in choice.how


def test_a_target_for_which_nothing_is_predicted_is_placed_by_rule(
    run_step: Callable[..., Outcome], tiny: Project, in_conversions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.figures.ratios.LEAST_MACS", 1)
    other = "arm64-generic" if this_host().arch == "x86_64" else "x86-avx2"
    done = run_step(MixedPrecision(), tiny, in_conversions, other)
    assert done.notes["placed"].startswith("by rule: no operator is put back to float: this machine is not the target")
    assert (done.notes["floats"], done.notes["ratio"]) == ([], None)
    assert done.path.read_bytes() == in_conversions.read_bytes()
    assert {Trait.INTEGER, Trait.PORTABLE} <= observed_facts(load_model(done.path))


def here() -> str:
    """A target that this machine is."""
    names = [each for each in ("x86-avx2", "x86-vnni", "rpi4", "rpi5") if find_target(each).is_this(this_host())]
    if not names:
        pytest.skip("no shipped target is this machine")
    return names[0]


def test_a_small_network_is_placed_by_rule(
    run_step: Callable[..., Outcome], tiny: Project, in_conversions: Path
) -> None:
    done = run_step(MixedPrecision(), tiny, in_conversions, here())
    assert done.notes["placed"].startswith("by rule: no operator is put back to float: 22,528 multiply-accumulates")


def test_a_network_is_timed_where_it_runs(
    run_step: Callable[..., Outcome], tiny: Project, in_conversions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.figures.ratios.LEAST_MACS", 1)
    monkeypatch.setattr(mixed_precision, "_SECONDS", 0.5)
    done = run_step(MixedPrecision(), tiny, in_conversions, here())
    assert done.notes["placed"].startswith("measured on this machine")
    assert set(done.notes["floats"]) <= set(ALL), "which, is the clock's to say"
    again = run_step(MixedPrecision(floats=tuple(done.notes["floats"])), tiny, in_conversions, here())
    assert again.path.read_bytes() == done.path.read_bytes(), "and that can be repeated"


def test_on_a_disturbed_machine_cpu_times_are_compared(
    run_step: Callable[..., Outcome], tiny: Project, in_conversions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock nothing is faster in float; by CPU time everything is."""
    monkeypatch.setattr("edgekit.figures.ratios.LEAST_MACS", 1)
    run = NativeRunner.run

    def busy(self: NativeRunner, job: Job) -> Result:
        counts = [len(unit_names(load_model(path))) for path in job.models]
        times, cpu_times = [[10.0] * 20 for _ in counts], [[1.0 + count] * 20 for count in counts]
        rounds = [Round(times, 0, 0.3, cpu_times)]
        return replace(run(self, replace(job, seconds=0.0)), rounds=rounds if job.seconds else [])

    monkeypatch.setattr(NativeRunner, "run", busy)
    done = run_step(MixedPrecision(), tiny, in_conversions, here())
    assert done.notes["floats"] and done.notes[DISTURBED] == [
        "the runs waited for a CPU during up to 70% of their time"
    ]
    (line,) = precision_lines(done.notes)
    assert "by CPU time, because the machine was disturbed (the runs waited for a CPU" in line


@pytest.mark.slow
@needs_compiler
def test_a_network_is_predicted_where_a_calibration_vouches_for_it(
    run_step: Callable[..., Outcome],
    tiny: Project,
    in_conversions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgekit.figures.ratios.LEAST_MACS", 1)
    calibrated = known(find_target("rpi4"), tmp_path)
    done = run_step(MixedPrecision(), tiny, in_conversions, calibrated)
    assert done.notes["placed"].startswith("predicted from instruction counts under the target's emulator")
    assert set(done.notes["floats"]) <= set(ALL)
    assert run_step(MixedPrecision(), tiny, in_conversions, calibrated).path.read_bytes() == done.path.read_bytes()
    monkeypatch.setattr(mixed_precision, "_MOST_MACS", 2)
    done = run_step(MixedPrecision(), tiny, in_conversions, calibrated)
    assert done.notes["placed"].endswith("emulating 22,528 multiply-accumulates takes too long")
    done = run_step(MixedPrecision(), tiny, in_conversions, with_file(find_target("rpi4"), tmp_path, slower(8)))
    assert done.notes["placed"].endswith("no latency calibration covers the comparison")
    monkeypatch.undo()
    monkeypatch.setattr("edgekit.figures.ratios.LEAST_MACS", 1)
    done = run_step(MixedPrecision(), tiny, in_conversions, with_file(find_target("rpi4"), tmp_path, slower(9)))
    assert done.notes["placed"].endswith("onnxruntime 1.32.0 on rpi4 has no prices for integer products")


@needs_compiler
def test_a_prediction_hangs_on_the_prices_and_the_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rpi4 = find_target("rpi4")
    calibrated = with_file(rpi4, tmp_path, slower(9))
    result = MixedPrecision().decided_by(calibrated)
    assert result["clock_hz"] == rpi4.clock_hz and len(result["prices"]) == 2 and "cortex-a72" in result["emulator"]
    assert MixedPrecision().decided_by(with_file(rpi4, tmp_path, slower(10)))["prices"] != result["prices"]
    assert MixedPrecision(floats="none").decided_by(calibrated) is None and MixedPrecision().decided_by(rpi4) is None
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(tmp_path))
    assert MixedPrecision().decided_by(calibrated) is None


def test_operators_are_named(run_step: Callable[..., Outcome], tiny: Project, in_conversions: Path) -> None:
    done = run_step(MixedPrecision(floats=("deep", "stem")), tiny, in_conversions)
    assert (done.notes["floats"], done.notes["placed"]) == (["stem", "deep"], "as it was given")
    assert _on_integers(load_model(done.path)) == ["point", "add", "mean"]
    plain = run_step(MixedPrecision(floats="none"), tiny, in_conversions)
    assert _on_integers(load_model(plain.path)) == ALL and plain.notes["placed"] == "as it was given"


def _on_integers(model: ModelProto) -> list[str]:
    return [name for name in unit_names(model) if name in ALL]


def test_an_operator_that_is_not_there_is_reported(
    run_step: Callable[..., Outcome], tiny: Project, in_conversions: Path
) -> None:
    with pytest.raises(PlanError, match="no operator 'stemm' is between conversions") as entry:
        run_step(MixedPrecision(floats=("stemm",)), tiny, in_conversions)
    assert "'stem'" in entry.value.hint
    with pytest.raises(PlanError, match="'mean' has no weights"):
        run_step(MixedPrecision(floats=("stem", "mean")), tiny, in_conversions)


def test_options_are_read_from_recipes() -> None:
    assert step_from("mixed-precision", {"floats": ["a", "b"]}, "r") == MixedPrecision(floats=("a", "b"))
    assert step_from("mixed-precision", {"floats": "none"}, "r") == MixedPrecision(floats="none")


def test_a_model_without_conversions_is_left(run_step: Callable[..., Outcome], tiny: Project, conv_model: Path) -> None:
    done = run_step(MixedPrecision(), tiny, conv_model)
    assert done.notes["placed"] == "no operator is between conversions"


def test_a_run_that_fails_is_reported(in_conversions: Path, tmp_path: Path) -> None:
    def clock(_: Sequence[Path]) -> Sequence[Sequence[float]]:
        raise RunError("the model failed", "look at it")

    with pytest.raises(RunError, match="the model failed"):
        choose_precision(clock, "measured", load_model(in_conversions), tmp_path, Silent())


def test_a_step_that_does_not_say_so_cannot_tell_the_machine() -> None:
    view = TargetView(find_target("rpi4"), frozenset({"arch"}))
    with pytest.raises(AttributeError, match="does not declare"):
        view.is_this(this_host())
    assert not TargetView(None, frozenset({"arch", "isa", "cpuinfo"})).is_this(this_host())
