import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit.errors import StepError
from edgekit.tflite.writing import write_model
from tests.tflite.models import apart, floats, integers, interpreters, kinds, needs_runtime, node, weights

pytestmark = needs_runtime


def test_ports_may_be_integers() -> None:
    dequantized, stored = weights([6, 4, 1, 1])
    model = integers([1, 4, 5, 6], [*dequantized, node("Conv", ["xd", "wd", "b"], ["yd"])], stored)
    made = write_model(model, integer_ports=True)
    assert kinds(made) == ["CONV_2D"]
    for running in interpreters(made.data).values():
        (given,), (out,) = running.get_input_details(), running.get_output_details()
        assert (given["dtype"], out["dtype"]) == (np.int8, np.int8)
        assert given["quantization"] == (pytest.approx(0.03), -5)


def test_a_batch_axis_is_one_and_what_hangs_on_it_is_worked_out() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "first"], ["n"]),
        node("Unsqueeze", ["n", "first"], ["n1"]),
        node("Concat", ["n1", "rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["y"]),
    ]
    model = floats(["batch", 4, 6], nodes, {"first": np.array(0), "rest": np.array([-1])})  # type: ignore[list-item]
    made = write_model(model)
    assert kinds(made) == ["RESHAPE"] and made.graph.tensors[made.graph.outputs[0]].shape == (1, 24)


def test_shapes_that_hang_on_the_data_are_refused() -> None:
    with pytest.raises(StepError, match="is not known before the model runs"):
        write_model(floats(["batch", 4, "width", 6], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])]))  # type: ignore[list-item]


def test_inputs_of_other_types_are_refused() -> None:
    graph = helper.make_graph(
        [node("Identity", ["ids"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 4])],
    )
    with pytest.raises(StepError, match="the input 'ids' has the type INT64"):
        write_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def test_an_older_softmax_over_several_axes_is_one_over_all_of_them() -> None:
    model = floats([1, 4, 6], [node("Softmax", ["x"], ["y"], axis=1)])
    model.opset_import[0].version = 11
    assert all(each < 2e-5 for each in apart(model).values())


def test_an_output_that_hangs_on_no_input_is_named() -> None:
    model = floats([1, 4], [node("Identity", ["c"], ["y"])], {"c": np.ones(4, np.float32)})
    with pytest.raises(StepError, match="the output 'y' does not depend on any input"):
        write_model(model)
    constant = floats([1, 4], [node("Relu", ["x"], ["y"])], {"c": np.ones(4, np.float32)})
    constant.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [4]))
    with pytest.raises(StepError, match="the output 'c' does not depend on any input"):
        write_model(constant)
