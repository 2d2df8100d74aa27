from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.benchmarking.bench import bench_files
from edgekit.builds.result import Build
from edgekit.call_options import BenchOptions
from edgekit.errors import ModelError, RunError
from edgekit.model.sizes import Sizes
from edgekit.target import Budgets
from edgekit.target_files import find_target
from edgekit.tflite.writing import write_model
from edgekit.traits import Fidelity
from tests.instruction_counts.compiler import needs_compiler
from tests.tflite.models import floats, needs_runtime, node

QUICK = BenchOptions(seconds=0.1)


def test_on_this_machine_everything_is_measured(conv_model: Path) -> None:
    found = bench_files([conv_model], None, QUICK)
    names = {one.name: one for one in found.measurements}
    assert {"latency_p50", "latency_p90", "latency_p99", "memory_peak", "file_size", "parameters", "macs"} <= set(names)
    assert names["latency_p50"].value <= names["latency_p90"].value <= names["latency_p99"].value
    assert names["latency_p99"].value <= names["latency_max"].value
    parts = [names[f"memory_{part}"].value for part in ("runtime", "model", "arena")]
    assert sum(parts) <= names["memory_peak"].value
    assert names["latency_p50"].fidelity is Fidelity.NATIVE and names["latency_p50"].threads == 1
    assert names["file_size"].value == conv_model.stat().st_size
    assert names["file_size"].fidelity is Fidelity.STATIC
    assert not found.gates


@needs_compiler
def test_under_the_emulator_there_is_parity_and_memory_and_no_latency_but_a_prediction(built: Build) -> None:
    found = bench_files([built.targets[0].bundle / "model.onnx"], find_target("rpi4"), QUICK)
    (latency,) = [one for one in found.measurements if "latency" in one.name]
    assert latency.fidelity is Fidelity.PREDICTED and latency.confidence == 0
    assert {one.fidelity for one in found.measurements} == {Fidelity.STATIC, Fidelity.EMULATED, Fidelity.PREDICTED}
    assert {gate.name: gate.status.value for gate in found.gates} == {"parity": "passed", "memory": "passed"}
    assert found.passed


def test_a_model_that_does_not_fit_the_memory_fails(built: Build) -> None:
    board = find_target("rpi4").copy_with(ram_bytes=48 * 2**20)
    found = bench_files([built.targets[0].bundle / "model.onnx"], board, QUICK)
    assert not found.passed


def test_models_are_compared_in_turns(conv_model: Path, built: Build) -> None:
    deployed = built.targets[0].bundle / "model.onnx"
    found = bench_files([conv_model, deployed], None, QUICK)
    assert [each.model for each in found.models] == [conv_model, deployed]
    first, second = ({one.name: one for one in each.measurements} for each in found.models)
    how = second["latency_ratio"].detail
    assert "latency_ratio" not in first and how.startswith(f"to {conv_model.name}, timed in turns")
    assert second["latency_ratio"].value == pytest.approx(second["latency_p50"].value / first["latency_p50"].value, 0.5)
    assert {"memory_peak", "file_size", "first_inference"} <= first.keys() & second.keys()


def test_every_number_of_threads_and_samples_is_measured(conv_model: Path) -> None:
    found = bench_files([conv_model], None, BenchOptions(threads=(1, 2), batch=(1, 3), seconds=0.05))
    medians = [one for one in found.measurements if one.name == "latency_p50"]
    assert [(one.threads, one.batch) for one in medians] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert len([one for one in found.measurements if one.name == "file_size"]) == 1


def test_inputs_come_from_a_file(conv_model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.ones((6, 3, 6, 6), np.float32))
    found = bench_files([conv_model], find_target("rpi4"), BenchOptions(inputs=tmp_path / "x.npz"))
    assert "4 samples emulated" in found.gates[0].detail
    assert found.gates[0].status.value == "passed"


@needs_compiler
def test_a_target_s_budgets_are_judged(conv_model: Path) -> None:
    board = find_target("rpi4").copy_with(budgets=Budgets(max_bytes=10, max_latency_ms=5.0))
    gates = {gate.name: gate for gate in bench_files([conv_model], board, QUICK).gates}
    assert gates["size"].status.value == "failed" and gates["latency"].status.value == "undecided"
    assert len(gates) == 4
    unknown = find_target("arm64-generic").copy_with(budgets=Budgets(max_latency_ms=5.0))
    gates = {gate.name: gate for gate in bench_files([conv_model], unknown, QUICK).gates}
    assert gates["latency"].status.value == "not_run" and "caches" in gates["latency"].detail


def test_another_format_is_reported(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").touch()
    with pytest.raises(ModelError, match="TFLite"):
        bench_files([tmp_path / "m.tflite"], None, QUICK)


Port = tuple[str, int, list[int | str | None]]
FLOAT, LEARNED = TensorProto.FLOAT, "ai.onnx.ml"
MAPS = helper.make_sequence_type_proto(
    helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, []))
)


def saved(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[Port],
    output: onnx.ValueInfoProto,
    *constants: onnx.TensorProto,
) -> Path:
    ports = [helper.make_tensor_value_info(*each) for each in inputs]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(LEARNED, 3)]
    graph = helper.make_graph(nodes, "g", ports, [output], list(constants))
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "m.onnx")
    return folder / "m.onnx"


def tensor(*shape: int | str | None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("y", kind, list(shape))


ANYTHING = {
    "no batch": ([helper.make_node("Relu", ["x"], ["y"])], [("x", FLOAT, [5])], tensor(5), {}),
    "a scalar": (
        [helper.make_node("Mul", ["x", "s"], ["y"])],
        [("x", FLOAT, ["n", 3]), ("s", FLOAT, [])],
        tensor("n", 3),
        {},
    ),
    "no names": (
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", FLOAT, [None, 3, None, None])],
        tensor(None, 3, None, None),
        {"x": [1, 3, 4, 5]},
    ),
    "a state": (
        [helper.make_node("Add", ["x", "h"], ["y"])],
        [("x", FLOAT, ["batch", "steps", 4]), ("h", FLOAT, [1, "batch", 4])],
        tensor("batch", "steps", 4),
        {"steps": [5]},
    ),
    "other first axes": (
        [helper.make_node("MatMul", ["a", "b"], ["y"])],
        [("a", FLOAT, [3, 4]), ("b", FLOAT, [4, 5])],
        tensor(3, 5),
        {},
    ),
    "nothing yet": (
        [helper.make_node("Concat", ["past", "x"], ["y"], axis=1)],
        [("past", FLOAT, ["batch", "past", 4]), ("x", FLOAT, ["batch", 1, 4])],
        tensor("batch", "all", 4),
        {"past": [0]},
    ),
    "lengths by the data": (
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("NonZero", ["r"], ["y"])],
        [("x", FLOAT, ["n", 6])],
        tensor(2, "found", kind=TensorProto.INT64),
        {},
    ),
    "maps": (
        [
            helper.make_node("Softmax", ["x"], ["p"]),
            helper.make_node("ZipMap", ["p"], ["y"], domain=LEARNED, classlabels_int64s=[3, 1, 2]),
        ],
        [("x", FLOAT, ["n", 3])],
        helper.make_value_info("y", MAPS),
        {},
    ),
    "strings": (
        [
            helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
            helper.make_node(
                "LabelEncoder", ["i"], ["y"], domain=LEARNED, keys_int64s=[0, 1, 2], values_strings=["a", "bb", "c"]
            ),
        ],
        [("x", FLOAT, ["n", 3])],
        tensor("n", kind=TensorProto.STRING),
        {},
    ),
}


@pytest.mark.parametrize("name", ANYTHING)
def test_whatever_a_model_takes_and_gives_is_measured(name: str, tmp_path: Path) -> None:
    nodes, inputs, output, sizes = ANYTHING[name]
    found = bench_files(
        [saved(tmp_path, nodes, inputs, output)], find_target("rpi4"), BenchOptions(seconds=0.05, shapes=sizes)
    )
    assert found.gates[0].status.value == "passed", found.gates[0].detail
    assert "4 samples emulated" in found.gates[0].detail


TABLE = numpy_helper.from_array(np.zeros(1, np.float32), "table")


@pytest.mark.parametrize(
    ("given", "sizes", "told"),
    [
        (("x", TensorProto.STRING, [1]), {}, "input 'x' has the type string"),
        (("x", TensorProto.INT64, [None, None]), {}, "input 'x' has the dynamic axis '?'"),
        (("x", TensorProto.INT64, ["n", 3]), {}, "running Gather node.*indices element out of data bounds"),
    ],
)
def test_what_cannot_be_measured_is_reported(tmp_path: Path, given: Port, sizes: Sizes, told: str) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["i"], to=7), helper.make_node("Gather", ["table", "i"], ["y"])]
    with pytest.raises((ModelError, RunError), match=told) as raised:
        bench_files(
            [saved(tmp_path, nodes, [given], tensor(None, None), TABLE)], None, BenchOptions(seconds=0.05, shapes=sizes)
        )
    assert raised.value.hint


def test_one_model_runs_under_each_runtime(conv_model: Path) -> None:
    found = bench_files([conv_model], None, BenchOptions(seconds=0.1, runtimes=["onnxruntime", "ai-edge-litert"]))
    first, *others = found.models
    assert first.runtime.startswith("onnxruntime ") and len(others) + len(found.absent) == 1
    assert "share_apart" not in {one.name for one in first.measurements}
    for each in others:
        values = {one.name: one for one in each.measurements}
        assert values["share_apart"].value < 1e-5 and values["same_largest"].value == 100
        assert (
            values["latency_ratio"].detail.startswith(f"to {first.name}, timed in turns") and "XNNPACK" in each.runtime
        )


@needs_runtime
def test_a_runtime_whose_form_takes_one_sample_at_a_time_is_reported(conv_model: Path) -> None:
    settings = BenchOptions(seconds=0.1, batch=[2], runtimes=["onnxruntime", "ai-edge-litert"])
    found = bench_files([conv_model], None, settings)
    assert len(found.models) == 1 and "has the fixed batch size 1, not 2" in found.absent[0].why


@needs_runtime
def test_a_model_that_runs_under_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(write_model(floats([1, 4], [node("Relu", ["x"], ["y"])])).data)
    with pytest.raises(ModelError, match=r"m\.tflite runs under none of the given runtimes: onnxruntime does not"):
        bench_files([path], None, BenchOptions(seconds=0.1, runtimes=["onnxruntime"]))


@pytest.mark.slow
@needs_compiler
def test_what_several_threads_take_is_predicted_from_one(conv_model: Path) -> None:
    found = bench_files([conv_model], find_target("rpi4"), BenchOptions(threads=(1, 2, 4), seconds=0.1))
    values = {one.threads: one for one in found.measurements if one.name == "latency_predicted"}
    assert set(values) == {1, 4} and {one.fidelity for one in values.values()} == {Fidelity.PREDICTED}
    assert found.unpredicted == ("no latency with 2 threads is predicted; the calibration is for 1 and 4: --threads 4",)


def test_under_several_runtimes_parity_is_judged_for_each(built: Build) -> None:
    """rpi4 names one; a float file has a form for all."""
    model = built.targets[0].bundle / "model.onnx"
    found = bench_files([model], find_target("rpi4"), BenchOptions(seconds=0.1, runtimes=["onnxruntime"]))
    (only,) = found.models
    assert only.runtime == f"onnxruntime {find_target('rpi4').runtime.version}" and found.passed
    assert [one.name for one in only.measurements if "latency" in one.name] == ["latency_predicted"]
