from pathlib import Path

import pytest

from edgekit.bench.measure import benched
from edgekit.build import Build
from edgekit.errors import ModelError
from edgekit.target import find_target
from edgekit.traits import Fidelity


def test_on_this_machine_everything_is_measured(conv_model: Path) -> None:
    found = benched(conv_model, None, 1, 0.1, {})
    names = {one.name: one for one in found.measurements}
    assert {"latency_p50", "latency_p90", "latency_p99", "memory_peak", "file_size", "parameters", "macs"} <= set(names)
    assert names["latency_p50"].value <= names["latency_p90"].value <= names["latency_p99"].value
    assert names["latency_p50"].fidelity is Fidelity.NATIVE and "1 thread" in names["latency_p50"].detail
    assert names["file_size"].value == conv_model.stat().st_size
    assert names["file_size"].fidelity is Fidelity.STATIC
    assert not found.gates


def test_under_the_emulator_there_is_parity_and_memory_and_no_latency(built: Build) -> None:
    found = benched(built.targets[0].bundle / "model.onnx", find_target("rpi4"), 1, 0.1, {})
    assert not [one for one in found.measurements if "latency" in one.name]
    assert {one.fidelity for one in found.measurements} == {Fidelity.STATIC, Fidelity.EMULATED}
    assert {gate.name: gate.status.value for gate in found.gates} == {
        "parity": "passed",
        "memory": "passed",
        "latency": "not_run",
    }
    assert found.passed


def test_a_model_that_does_not_fit_the_memory_fails(built: Build) -> None:
    board = find_target("rpi4").changed(ram_bytes=48 * 2**20)
    found = benched(built.targets[0].bundle / "model.onnx", board, 1, 0.1, {})
    assert not found.passed


def test_another_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").touch()
    with pytest.raises(ModelError, match="TFLite"):
        benched(tmp_path / "m.tflite", None, 1, 0.1, {})
