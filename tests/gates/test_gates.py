from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgekit.builds.result import Build
from edgekit.errors import EmulatorError, RunError
from edgekit.figures.measurement import Measurement
from edgekit.gates.gates import Status, budget_gates, memory_gate, parity_gate
from edgekit.model.facts import output_step
from edgekit.model.passes.dynamic_products import DynamicProductsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.reading import load_model, save_model
from edgekit.runners.native import native_outputs
from edgekit.runners.runner import Result
from edgekit.runtimes.ort import feed_outputs
from edgekit.target import Budgets
from edgekit.target_files import find_target
from edgekit.tflite.writing import write_model
from edgekit.traits import Fidelity
from tests.tflite.models import floats, integers, needs_runtime

X = np.random.default_rng(0).standard_normal((8, 1, 3, 6, 6)).astype(np.float32)


def ran(*outputs: np.ndarray) -> Result:
    return Result([outputs], None, None, Fidelity.EMULATED, "onnxruntime")


def test_where_a_step_is_known_one_is_allowed(built: Build) -> None:
    model = built.targets[0].bundle / "model.onnx"
    (step,) = output_step(load_model(model)).values()
    expected = np.linspace(-100, 100, 32).reshape(8, 1, 4).astype(np.float32)
    inputs = (np.random.default_rng(0).standard_normal((8, 1, 1, 8, 8)).astype(np.float32),)
    for steps, status in ((0.9, Status.PASSED), (1.0, Status.PASSED), (1.1, Status.FAILED)):
        gate = parity_gate(model, inputs, [expected], ran(expected + np.float32(steps * step)))
        assert gate.status is status and "one LSB" in gate.detail


def test_floats_are_judged_part_by_part(conv_model: Path) -> None:
    (expected,) = feed_outputs(conv_model, (X,))
    small = expected * np.array([100, 100, 100, 100, 10], np.float32)
    apart = np.zeros_like(small)
    apart[0, 0, 4] = np.abs(small[:, 0, 4]).max() * 3e-4
    assert parity_gate(conv_model, (X,), [small], ran(small + apart)).status is Status.FAILED
    assert parity_gate(conv_model, (X,), [small], ran(small + apart / 10)).status is Status.PASSED
    assert np.abs(apart).max() < 1e-4 * np.abs(small).max(), "the whole would have passed"


def test_where_each_run_finds_its_ranges_a_nudge_says_what_is_allowed(attending: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    save_model(rewrite(load_model(attending), DynamicProductsPass(reduced=False)), model)
    feeds = (np.random.default_rng(0).standard_normal((8, 1, 1, 8, 8)).astype(np.float32),)
    (expected,) = feed_outputs(model, feeds)
    largest = np.abs(expected).max((0, 1))
    for share, status in ((0.009, Status.PASSED), (0.21, Status.FAILED)):
        gate = parity_gate(model, feeds, [expected], ran(expected + share * largest * (expected == largest)))
        assert gate.status is status and "rounding differences move values by 8-bit LSBs" in gate.detail


@pytest.mark.parametrize("given", [np.full((8, 5), np.nan, np.float32), np.zeros((8, 4), np.float32)])
def test_nans_and_other_shapes_fail(conv_model: Path, given: np.ndarray) -> None:
    gate = parity_gate(conv_model, (X,), feed_outputs(conv_model, (X,)), ran(given))
    assert gate.status is Status.FAILED


def test_outputs_that_ignore_the_input_prove_nothing(conv_model: Path) -> None:
    same = np.tile(np.arange(5, dtype=np.float32), (8, 1))
    gate = parity_gate(conv_model, (X,), [same], ran(same))
    assert gate.status is Status.NOT_RUN and "the same for every input" in gate.detail
    assert parity_gate(conv_model, (X,), [same], ran(same * 2)).status is Status.FAILED
    assert parity_gate(conv_model, (X[:1],), [same[:1]], ran(same[:1])).status is Status.PASSED, "one cannot tell"


def test_memory_that_was_not_measured_is_not_judged() -> None:
    gate = memory_gate(10, "the budget", [], "no emulator; get one")
    assert gate.status is Status.NOT_RUN and "get one" in gate.detail


def test_a_crash_fails_parity_and_a_missing_emulator_does_not_run_it(conv_model: Path) -> None:
    crashed = parity_gate(conv_model, (X,), [np.ones(1)], RunError("the runtime was stopped by SIGILL", ""))
    assert (crashed.status, crashed.detail) == (Status.FAILED, "the runtime was stopped by SIGILL")
    assert parity_gate(conv_model, (X,), [np.ones(1)], EmulatorError("none", "get one")).status is Status.NOT_RUN


def predicted(low: float, high: float, confidence: float) -> Measurement:
    how = "how it came"
    return Measurement("m", "latency_predicted", 20.0, "ms", Fidelity.PREDICTED, how, low, high, confidence=confidence)


@pytest.mark.parametrize(
    ("low", "high", "confidence", "limit", "status"),
    [
        (18.0, 22.0, 0.9, 22.0, Status.PASSED),
        (18.0, 22.0, 0.9, 21.9, Status.UNDECIDED),
        (18.0, 22.0, 0.9, 18.0, Status.UNDECIDED),
        (18.0, 22.0, 0.9, 17.9, Status.FAILED),
        (10.0, 40.0, 0.0, 1000.0, Status.UNDECIDED),
        (10.0, 40.0, 0.0, 20.0, Status.UNDECIDED),
        (10.0, 40.0, 0.0, 9.0, Status.FAILED),
    ],
)
def test_a_latency_budget_is_judged_on_a_prediction(
    low: float, high: float, confidence: float, limit: float, status: Status
) -> None:
    budgets, target = Budgets(max_latency_ms=limit), find_target("rpi4")
    items = [predicted(low, high, confidence)]
    gate = next(each for each in budget_gates(budgets, target, items) if each.name == "latency")
    assert gate.status is status
    claim = "90 %:" if confidence else "range"
    assert gate.detail == f"predicted 20 ms, {claim} {low:g} to {high:g} ms, at most {limit:g} ms; how it came"


def test_a_measured_latency_counts_before_a_predicted_one() -> None:
    budgets, target = Budgets(max_latency_ms=10.0), find_target("rpi4")
    own = Measurement("m", "latency_p50", 9.0, "ms", Fidelity.DEVICE)
    gates = budget_gates(budgets, target, [predicted(18.0, 22.0, 0.9), own])
    assert next(each for each in gates if each.name == "latency").status is Status.PASSED


@pytest.mark.parametrize(
    ("low", "high", "disturbed", "status", "why"),
    [
        (8.5, 9.5, (), Status.PASSED, ""),
        (8.5, 10.5, (), Status.UNDECIDED, "the interval contains the limit: 95 %: 8.5 to 10.5 ms"),
        (10.5, 11.0, (), Status.FAILED, ""),
        (8.5, 9.5, ("the CPU throttled",), Status.UNDECIDED, "the machine was disturbed: the CPU throttled"),
        (11.0, 12.0, ("the CPU throttled",), Status.UNDECIDED, "the machine was disturbed: the CPU throttled"),
    ],
)
def test_a_measured_latency_is_judged_by_its_interval_on_a_quiet_machine(
    low: float, high: float, disturbed: tuple[str, ...], status: Status, why: str
) -> None:
    own = Measurement("m", "latency_p50", (low + high) / 2, "ms", Fidelity.NATIVE, "", low, high)
    budgets, target = Budgets(max_latency_ms=10.0), find_target("rpi4")
    gates = budget_gates(budgets, target, [own], disturbed=disturbed)
    gate = next(each for each in gates if each.name == "latency")
    assert gate.status is status and gate.detail.endswith(why)


def test_why_no_latency_is_judged_is_reported() -> None:
    budgets, target = Budgets(max_latency_ms=10.0), find_target("rpi4")
    for why, entry in (("", "wall time under emulation is not a latency"), ("no compiler", "no compiler")):
        gate = next(each for each in budget_gates(budgets, target, [], "", why) if each.name == "latency")
        assert (gate.status, gate.detail) == (Status.NOT_RUN, entry)


def detector(path: Path) -> Path:
    """A .tflite file with integer products whose float output joins boxes in pixels and scores."""
    weight = {"w": np.random.default_rng(0).integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)}
    scale = {"sw": np.full(8, 0.005, np.float32), "zw": np.zeros(8, np.int8), "by": np.float32(320)}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], axis=0),
        helper.make_node("QuantizeLinear", ["x", "s0", "z0"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s0", "z0"], ["xd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s1", "z1"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s1", "z1"], ["cd"]),
        helper.make_node("Sigmoid", ["cd"], ["g"]),
        helper.make_node("Mul", ["g", "by"], ["y"]),
    ]
    zero = np.array(0, np.int8)
    scales = {"s0": np.float32(0.03), "z0": zero, "s1": np.float32(0.05), "z1": zero}
    path.write_bytes(write_model(floats((1, 3, 6, 6), nodes, weight | scale | scales)).data)
    return path


@needs_runtime
def test_a_float_end_behind_integers_may_differ_by_their_rounding(tmp_path: Path) -> None:
    file = detector(tmp_path / "m.tflite")
    feeds = (np.random.default_rng(0).standard_normal((8, 1, 3, 6, 6)).astype(np.float32),)
    expected = native_outputs(file, feeds, find_target("rpi-armv7l"))
    for share, status in ((0.005, Status.PASSED), (0.3, Status.FAILED)):
        gate = parity_gate(file, feeds, expected, ran(expected[0] * np.float32(1 + share)))
        assert gate.status is status and "rounding differences move values by 8-bit LSBs" in gate.detail
    assert "float rounding" in parity_gate(file, feeds, expected, ran(expected[0])).detail


@needs_runtime
def test_the_lsb_that_a_tflite_output_may_differ_by_do_not_depend_on_this_host(tmp_path: Path) -> None:
    model = integers((1, 8, 4, 4), [helper.make_node("Relu", ["xd"], ["yd"])])
    file = tmp_path / "m.tflite"
    file.write_bytes(write_model(model).data)
    feeds = (np.random.default_rng(0).standard_normal((4, 1, 8, 4, 4)).astype(np.float32),)
    expected = native_outputs(file, feeds, find_target("rpi-armv7l"))
    for lsb, status in ((0, Status.PASSED), (1, Status.PASSED), (2, Status.PASSED), (4, Status.PASSED), (5, "failed")):
        gate = parity_gate(file, feeds, expected, ran(expected[0] + np.float32(lsb * 0.04)))
        assert gate.status == status, (lsb, gate)
        assert ("4 LSB: TFLite's integer kernels round differently" in gate.detail) == (lsb > 1)
