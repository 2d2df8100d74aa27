from pathlib import Path

import numpy as np
import pytest

from edgekit.build import Build
from edgekit.errors import EmulatorError, RunError
from edgekit.verdict.gates import Status, largest_difference, memory_gate, parity_gate, tolerance_of


def test_the_tolerance_is_one_integer_step_of_the_output(built: Build, conv_model: Path) -> None:
    allowed, why = tolerance_of(built.targets[0].bundle / "model.onnx", [np.ones(1)])
    assert why == "one integer step" and 0 < allowed < 10
    allowed, why = tolerance_of(conv_model, [np.array([-200.0, 3.0])])
    assert allowed == pytest.approx(200 * 1e-4) and "largest output" in why


def test_differences_are_absolute_and_never_hidden_by_nans() -> None:
    assert largest_difference([np.array([1.0, 2.0])], [np.array([1.0, 2.5])]) == 0.5
    assert largest_difference([np.ones(2)], [np.array([1.0, np.nan])]) == float("inf")
    assert largest_difference([np.ones(2)], [np.ones(3)]) == float("inf")


def test_memory_that_was_not_measured_is_not_judged() -> None:
    gate = memory_gate(10, "the budget", [], EmulatorError("no emulator", "get one"))
    assert gate.status is Status.NOT_RUN and "get one" in gate.detail


def test_a_crash_fails_parity_and_a_missing_emulator_does_not_run_it(conv_model: Path) -> None:
    crashed = parity_gate(conv_model, [np.ones(1)], RunError("the runtime died of SIGILL", ""), 1)
    assert (crashed.status, crashed.detail) == (Status.FAILED, "the runtime died of SIGILL")
    assert parity_gate(conv_model, [np.ones(1)], EmulatorError("none", "get one"), 1).status is Status.NOT_RUN
