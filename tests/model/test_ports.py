from onnx import TensorProto, helper

from edgekit.model.ports import Port, port_of


def test_lengths_that_are_not_known_have_a_name() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", None, -1, 0, 4])
    assert port_of(value) == Port("x", "float32", ("batch", "?", "?", 0, 4))
