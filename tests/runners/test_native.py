from pathlib import Path

import numpy as np

from edgekit.model.parity import relative_difference
from edgekit.runners.native import NativeRunner, native_outputs
from edgekit.runners.runner import Job
from edgekit.runtimes.ort import feed_outputs, session, session_outputs
from edgekit.target import find_target
from edgekit.traits import Fidelity

X = (np.random.default_rng(0).standard_normal((3, 1, 3, 6, 6)).astype(np.float32),)


def test_outputs_memory_and_latencies_come_back(conv_model: Path) -> None:
    result = NativeRunner().run(Job([conv_model, conv_model], X, seconds=0.1))
    assert result.fidelity is Fidelity.NATIVE
    for outputs in result.outputs:
        assert relative_difference(feed_outputs(conv_model, X), outputs) < 1e-6
    assert result.memory_bytes is not None and result.memory_model_bytes is not None
    assert 10e6 < result.memory_bytes < 500e6 and result.memory_model_bytes < result.memory_bytes
    assert len(result.latencies_ms) == 2
    assert all(len(each) >= 50 and min(each) > 0 for each in result.latencies_ms)
    assert result.runtime.startswith("onnxruntime 1.")


def test_without_seconds_nothing_is_timed(conv_model: Path) -> None:
    assert not NativeRunner().run(Job([conv_model], X)).latencies_ms


def test_integers_are_added_as_the_target_adds_them(saturating: Path) -> None:
    x = (np.full((1, 1, 64), 255, np.float32),)
    (exact,) = native_outputs(saturating, x, find_target("x86-vnni"))
    assert np.array_equal(exact, feed_outputs(saturating, x)[0])
    (own,) = native_outputs(saturating, x, find_target("x86-avx2"))
    assert np.array_equal(own[0], session_outputs(session(saturating), (x[0][0],))[0])
