from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.benchmarking.operator_profile import OperatorPrecision, operator_times
from edgekit.builds.result import Build
from edgekit.instruction_counts.counts import Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job, Profile
from edgekit.traits import Fidelity


def profiled(model: Path, shape: tuple[int, ...]) -> Profile:
    job = Job([model], (np.ones((1, *shape), np.float32),), profiled_runs=4)
    (profile,) = NativeRunner().run(job).profiles
    return profile


def test_what_the_runtime_ran_is_told_by_kind(built: Build) -> None:
    profile = profiled(built.targets[0].bundle / "model.onnx", (1, 1, 8, 8))
    found = operator_times(profile, Fidelity.NATIVE)
    kinds = {(one.operator, one.on): one for one in found}
    assert kinds["QLinearConv", OperatorPrecision.INTEGERS].count >= 1
    assert kinds["QuantizeLinear", OperatorPrecision.CONVERTS].count >= 1
    assert sum(one.share or 0.0 for one in found) == pytest.approx(1.0)
    times = [one.milliseconds or 0.0 for one in found]
    assert times == sorted(times, reverse=True) and min(times) >= 0


def test_under_emulation_operators_have_counts_alone(built: Build) -> None:
    profile = profiled(built.targets[0].bundle / "model.onnx", (1, 1, 8, 8))
    found = operator_times(profile, Fidelity.EMULATED)
    assert {(one.milliseconds, one.share) for one in found} == {(None, None)}
    assert sum(one.count for one in found) == sum(one.count for one in operator_times(profile, Fidelity.NATIVE))


def test_counted_operators_have_the_share_of_what_is_put_on_them(conv_model: Path) -> None:
    events = [event(0, "model_run"), event(1, "Relu"), event(2, "Sin"), event(3, "Relu")]
    counts = [Counts({InstructionKind.OTHER: count}, {}, 0, 0, ()) for count in (100, 500, 200)]
    profile = Profile(events, onnx.load(conv_model), counts)
    result = operator_times(profile, Fidelity.EMULATED)
    assert [(one.operator, one.instructions, one.share) for one in result] == [
        ("Sin", 500, 0.625),
        ("Relu", 300, 0.375),
    ]
    priced = operator_times(profile, Fidelity.EMULATED, lambda counts: 900 / counts.total)
    assert [(one.operator, one.predicted_ms) for one in priced] == [("Relu", 3.0), ("Sin", 1.8)]
    assert priced[0].share == pytest.approx(3 / 4.8) and priced[0].milliseconds is None


def test_an_island_between_integers_is_marked(tmp_path: Path) -> None:
    step, zero = (
        numpy_helper.from_array(np.array(value), name) for value, name in ((np.float32(0.1), "s"), (np.uint8(9), "z"))
    )
    nodes = [
        helper.make_node("Sin", ["x"], ["a"]),
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["b"]),
        helper.make_node("DequantizeLinear", ["b", "s", "z"], ["c"]),
        helper.make_node("Cos", ["c"], ["d"]),
        helper.make_node("QuantizeLinear", ["d", "s", "z"], ["e"]),
        helper.make_node("DequantizeLinear", ["e", "s", "z"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [step, zero])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    found = {one.operator: one.on for one in operator_times(profiled(tmp_path / "m.onnx", (2, 3)), Fidelity.NATIVE)}
    assert (found["Sin"], found["Cos"]) == (OperatorPrecision.FLOATS, OperatorPrecision.ISLAND)


def event(at: int, name: str, took: int = 0) -> dict[str, object]:
    values = {"op_name": name, "output_type_shape": [{"float": [1]}]}
    if name == "model_run":
        return {"ts": at, "dur": took, "name": name, "cat": "Session", "args": {}}
    return {"ts": at, "dur": took, "name": f"{name}_kernel_time", "cat": "Node", "args": values}


def test_the_first_run_and_those_of_another_course_do_not_count(conv_model: Path) -> None:
    runs = [("Relu", 90), ("Relu", 2), ("Sin", 50), ("Relu", 4)]
    events = [each for at, (name, took) in enumerate(runs) for each in (event(at, name, took), event(at, "model_run"))]
    (found,) = operator_times(Profile(events, onnx.load(conv_model)), Fidelity.NATIVE)
    assert (found.operator, found.count, found.share) == ("Relu", 1, 1.0)
    assert found.milliseconds == pytest.approx(0.003)
