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
