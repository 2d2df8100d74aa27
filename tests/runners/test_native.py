from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.numerics.compare import relative_difference
from edgekit.runners.native import NativeRunner, native_outputs
from edgekit.runners.runner import Job
from edgekit.runtimes.opening import installed_runtime
from edgekit.runtimes.ort import feed_outputs, session, session_outputs
from edgekit.target import Runtime
from edgekit.target_files import find_target
from edgekit.tflite.writing import write_model
from edgekit.traits import Fidelity
from tests.tflite.models import expected, floats, needs_runtime, node, samples

X = (np.random.default_rng(0).standard_normal((3, 1, 3, 6, 6)).astype(np.float32),)


def test_outputs_memory_and_latencies_come_back(conv_model: Path) -> None:
    result = NativeRunner().run(Job([conv_model, conv_model], X, seconds=0.1))
    assert result.fidelity is Fidelity.NATIVE
    for outputs in result.outputs:
        assert relative_difference(feed_outputs(conv_model, X), outputs) < 1e-6
    assert result.memory_bytes is not None
    assert 10e6 < result.resident["imported"] <= result.resident["ran"] <= result.memory_bytes < 500e6
    assert len(result.rounds) == 1 and len(result.latencies_ms) == 2
    first, second = result.latencies_ms
    assert len(first) == len(second) >= 25 and min(*first, *second) > 0
    assert len(result.load_ms) == len(result.first_ms) == 2
    assert result.runtime.startswith("onnxruntime 1.")


def test_rounds_are_joined_without_what_they_took_to_warm_up(conv_model: Path) -> None:
    result = NativeRunner().run(Job([conv_model], X, seconds=0.02, rounds=3, least_runs=4))
    runs = sum(len(each.latencies_ms[0]) - each.warm_up for each in result.rounds)
    assert len(result.rounds) == 3 and len(result.latencies_ms[0]) == runs


def test_without_seconds_nothing_is_timed(conv_model: Path) -> None:
    assert not NativeRunner().run(Job([conv_model], X)).latencies_ms


def test_integers_are_added_as_the_target_adds_them(saturating: Path) -> None:
    x = (np.full((1, 1, 64), 255, np.float32),)
    (exact,) = native_outputs(saturating, x, find_target("x86-vnni"))
    assert np.array_equal(exact, feed_outputs(saturating, x)[0])
    (own,) = native_outputs(saturating, x, find_target("x86-avx2"))
    assert np.array_equal(own[0], session_outputs(session(saturating), (x[0][0],))[0])


@needs_runtime
def test_a_tflite_model_runs_as_its_onnx_model_does(tmp_path: Path) -> None:
    model = floats([1, 4, 6, 8], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])
    path = tmp_path / "pool.tflite"
    path.write_bytes(write_model(model).data)
    given = np.stack(samples(model))
    result = NativeRunner().run(Job([path], (given,), seconds=0.05))
    assert np.array_equal(result.outputs[0][0], np.stack(expected(model, samples(model))))
    assert result.runtime.startswith("ai-edge-litert ") and result.latencies_ms[0]


@needs_runtime
def test_formats_take_turns_and_tflite_times_no_operators(conv_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "relu.tflite"
    path.write_bytes(write_model(floats([1, 4], [node("Relu", ["x"], ["y"])])).data)
    given = np.random.default_rng(0).standard_normal((2, 1, 4)).astype(np.float32)
    image = np.zeros((2, 1, 3, 6, 6), np.float32)
    job = Job([conv_model, path], (), inputs_of=[(image,), (given,)], seconds=0.02, least_runs=10)
    result = NativeRunner().run(job)
    assert np.array_equal(result.outputs[1][0], given.clip(0))
    first, second = result.latencies_ms
    assert len(first) == len(second) >= 5
    assert result.runtime.startswith("onnxruntime ") and " and " in result.runtime
    with pytest.raises(ModelError, match="cannot read per-operator times"):
        NativeRunner().run(Job([path], (given,), profiled_runs=1))


def test_each_model_runs_under_the_runtime_that_is_reported(conv_model: Path) -> None:
    pytest.importorskip("openvino")
    runtimes = [
        installed_runtime("onnxruntime"),
        installed_runtime("openvino"),
        installed_runtime("openvino").copy_with(floats="bf16"),
    ]
    x = np.random.default_rng(0).standard_normal((2, 1, 3, 6, 6)).astype(np.float32)
    result = NativeRunner().run(Job([conv_model] * 3, (x,), runtimes=runtimes))
    (ours,), (theirs,), _ = result.outputs
    assert np.allclose(ours, theirs, atol=1e-5)
    assert result.runtime.count("openvino") == 2 and "floats as f32" in result.runtime and "bf16" in result.runtime
    with pytest.raises(ModelError, match="cannot read per-operator times from openvino"):
        NativeRunner().run(Job([conv_model], (x,), runtimes=runtimes[1:2], profiled_runs=1))
    with pytest.raises(ModelError, match="tflite-runtime does not run ONNX models"):
        NativeRunner().run(Job([conv_model], (x,), runtimes=[Runtime(name="tflite-runtime", version="2.14.0")]))
