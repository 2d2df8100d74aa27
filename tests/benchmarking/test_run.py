from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.benchmarking.candidates import Candidate
from edgekit.benchmarking.run import RunSettings, run_candidates
from edgekit.errors import RunError
from edgekit.runners.native import NativeRunner

SETTING = RunSettings(1, 2, 0.05, {}, None, profiled=True)


def plain(*models: Path) -> list[Candidate]:
    return [Candidate(each.name, each, each) for each in models]


@pytest.fixture
def failing(conv_model: Path, tmp_path: Path) -> Path:
    """A model that takes what the other one takes, and fails on it."""
    model = onnx.load(conv_model)
    del model.graph.node[:], model.graph.initializer[:]
    shape = onnx.numpy_helper.from_array(np.array([7, 11]), "shape")
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("Reshape", ["x", "shape"], ["y"]))
    onnx.save(model, tmp_path / "failing.onnx")
    return tmp_path / "failing.onnx"


def test_models_are_run_alone_and_timed_together(conv_model: Path) -> None:
    run = run_candidates(NativeRunner(), plain(conv_model, conv_model), SETTING, judged=False)
    first, second = run.results
    assert not isinstance(first, RunError) and not isinstance(second, RunError)
    assert [len(each.latencies_ms[0]) for each in first.rounds] == [len(each.latencies_ms[0]) for each in second.rounds]
    assert first.rounds[0].latencies_ms != second.rounds[0].latencies_ms
    assert first.memory_bytes and second.memory_bytes and run.timed is first
    assert run.feeds[0][0].shape == (1, 2, 3, 6, 6)
    assert run.operators(0, None) and run.operators(1, None)
    assert {one.name for one in run.measurements(1)} - {one.name for one in run.measurements(0)} == {"latency_ratio"}


def test_where_a_target_is_judged_a_failure_is_a_result(conv_model: Path, failing: Path) -> None:
    run = run_candidates(NativeRunner(), plain(failing, conv_model), SETTING, judged=True)
    assert isinstance(run.results[0], RunError) and run.timed is run.results[1]
    assert run.measurements(0) == [] and run.operators(0, None) == ()
    assert "latency_ratio" not in {one.name for one in run.measurements(1)}, "there is nothing to compare with"
    with pytest.raises(RunError, match="the model failed"):
        run_candidates(NativeRunner(), plain(failing), SETTING, judged=False)
