import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from edgekit.model.passes.port_names import NamePortsPass
from edgekit.model.passes.rewriting import rewrite


def graph(outputs: list[str]) -> onnx.ModelProto:
    """y = 2x + 1 by way of `twice`."""
    nodes = [helper.make_node("Mul", ["x", "two"], ["twice"]), helper.make_node("Add", ["twice", "one"], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("x", *outputs)]
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [1], [i + 1]) for i, name in enumerate(("one", "two"))]
    made = helper.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model: onnx.ModelProto) -> dict[str, list[float]]:
    onnx.checker.check_model(model, full_check=True)
    running = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in running.get_outputs()]
    found = running.run(None, {"x": np.arange(3, dtype=np.float32)})
    return {name: each.tolist() for name, each in zip(names, found, strict=True)}


def test_an_input_may_have_any_name_too() -> None:
    model = rewrite(graph(["y"]), NamePortsPass(["twice"], ["x"]))
    assert [each.name for each in model.graph.input] == ["twice"]
    assert [each.name for each in model.graph.output] == ["x"]
    onnx.checker.check_model(model, full_check=True)


def test_a_name_that_an_inner_tensor_or_a_constant_has_is_taken_from_it() -> None:
    assert run(rewrite(graph(["y"]), NamePortsPass(["x"], ["twice"]))) == {"twice": [1, 3, 5]}
    assert run(rewrite(graph(["y"]), NamePortsPass(["x"], ["one"]))) == {"one": [1, 3, 5]}
    assert run(rewrite(graph(["y", "twice"]), NamePortsPass(["x"], ["twice", "y"]))) == {
        "twice": [1, 3, 5],
        "y": [0, 2, 4],
    }


def test_an_output_that_is_something_else_besides_gets_a_tensor_of_its_own() -> None:
    model = graph(["y"])
    model.graph.output.extend([model.graph.output[0], model.graph.input[0]])
    assert run(rewrite(model, NamePortsPass(["x"], ["a", "b", "c"]))) == {
        "a": [1, 3, 5],
        "b": [1, 3, 5],
        "c": [0, 1, 2],
    }
