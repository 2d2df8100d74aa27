from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.benchmarking.bench import bench_files
from edgekit.call_options import BenchOptions
from edgekit.errors import EdgekitError, ModelError, RunError
from edgekit.model.ports import Port
from edgekit.tflite.inspection import tflite_inspection
from edgekit.tflite.packing import pack
from edgekit.tflite.reading import read_tflite, to_file_inputs, to_onnx_outputs
from edgekit.tflite.subgraph import Subgraph
from edgekit.tflite.writing import write_model
from tests.conftest import examples
from tests.tflite.models import floats, integers, needs_runtime, node, weights

pytestmark = needs_runtime


@pytest.fixture
def conv(tmp_path: Path) -> Path:
    dequantized, stored = weights([6, 4, 3, 3])
    model = integers([1, 4, 8, 9], [*dequantized, node("Conv", ["xd", "wd", "b"], ["yd"])], stored)
    path = tmp_path / "conv.tflite"
    path.write_bytes(write_model(model).data)
    return path


def test_ports_are_told_in_the_order_of_the_onnx_model(conv: Path) -> None:
    found = read_tflite(conv)
    assert found.ports(found.inputs) == (Port("x", "float32", (1, 4, 8, 9)),)
    assert found.ports(found.outputs) == (Port("y", "float32", (1, 6, 6, 7)),)
    assert [each.kind for each in found.operators] == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]


def test_arrays_are_moved_into_the_files_order_and_back(conv: Path) -> None:
    found, x = read_tflite(conv), np.arange(2 * 4 * 8 * 9).reshape(2, 4, 8, 9)
    (single,), (several,) = to_file_inputs(found, [x[:1]]), to_file_inputs(found, [x[:, None]], feeds=True)
    assert single.shape == (1, 8, 9, 4) and several.shape == (2, 1, 8, 9, 4)
    assert np.array_equal(several[0], single)
    (back,) = to_onnx_outputs(found, [np.zeros((1, 6, 7, 6))])
    assert back.shape == (1, 6, 6, 7)


def test_steps_and_scales_are_those_behind_the_conversions(conv: Path) -> None:
    found = read_tflite(conv)
    assert found.output_steps() == {"y": pytest.approx(0.04)}
    assert found.scales()["x"] == {"scale": pytest.approx(0.03), "zero_point": -5, "integer_type": "int8"}
    assert found.is_integer


def test_unsigned_integers_are_what_they_stand_for_as_well(conv: Path) -> None:
    found = read_tflite(conv)
    scaled = replace(found.tensors[found.outputs[0]], kind="uint8", scale=0.5, zero=100)
    tensors = tuple(scaled if number == found.outputs[0] else each for number, each in enumerate(found.tensors))
    (made,) = to_onnx_outputs(replace(found, tensors=tensors), [np.full((1, 6, 7, 6), 102, np.uint8)])
    assert made.dtype == np.float32 and (made == 1).all()


def test_a_file_that_is_none_is_reported(tmp_path: Path, conv: Path) -> None:
    other = tmp_path / "other.tflite"
    for content, entry in (
        (b"", "not a readable TFLite model"),
        (b"\x08\x07pytorch" * 9, "not a readable TFLite model"),
        (conv.read_bytes()[:40], "not a valid TFLite model"),
    ):
        other.write_bytes(content)
        with pytest.raises(ModelError, match=entry):
            read_tflite(other)
    with pytest.raises(ModelError, match="there is no file"):
        read_tflite(tmp_path / "missing.tflite")
    with pytest.raises(ModelError, match="is a folder"):
        read_tflite(tmp_path)


def test_tensors_that_are_not_there_are_reported(tmp_path: Path) -> None:
    graph = Subgraph()
    given, made = (graph.tensor(name, "float32", (2,)) for name in ("x", "y"))
    graph.inputs, graph.outputs = [given], [made]
    graph.operator("RELU", [given], 77)
    path = tmp_path / "wild.tflite"
    path.write_bytes(pack(graph, {"inputs": {"x": given}, "outputs": {"y": made}}, {}))
    with pytest.raises(ModelError, match="refers to tensors that do not exist"):
        read_tflite(path)


def mutated(data: bytes, seed: int) -> bytes:
    """A file with up to eight of its bytes changed, or cut short."""
    random = np.random.default_rng(seed)
    changed = bytearray(data)
    for place in random.integers(8, len(data), random.integers(1, 9)):
        changed[place] = random.integers(256)
    return bytes(changed[: random.integers(16, len(data))] if random.random() < 0.2 else changed)


@pytest.mark.fuzz
def test_a_hostile_file_is_read_or_refused(conv: Path, tmp_path: Path) -> None:
    path, refused, count = tmp_path / "hostile.tflite", 0, examples(100)
    for seed in range(count):
        path.write_bytes(mutated(conv.read_bytes(), seed))
        try:
            assert tflite_inspection(path).parameters >= 0
        except EdgekitError as error:
            refused += 1
            assert error.message and error.hint
    assert 0 < refused < count


@pytest.mark.fuzz
def test_a_hostile_file_is_measured_or_refused(conv: Path, tmp_path: Path) -> None:
    """What reading lets pass, the runtime meets in a process of its own."""
    path, met = tmp_path / "hostile.tflite", 0
    for seed in range(examples(50)):
        path.write_bytes(mutated(conv.read_bytes(), seed))
        try:
            bench_files([path], None, BenchOptions(seconds=0.05))
        except RunError as error:
            met += 1
            assert error.message and error.hint
        except EdgekitError as error:
            assert error.message and error.hint
    assert met


def test_a_float_model_has_no_steps(tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(write_model(floats([1, 4], [node("Relu", ["x"], ["y"])])).data)
    found = read_tflite(path)
    assert (found.output_steps(), found.scales(), found.is_integer) == ({}, {}, False)
