import json

import numpy as np

from edgekit.tflite.packing import ALIGNMENT, ORDERS
from edgekit.tflite.schema import schema
from edgekit.tflite.writing import write_model
from tests.tflite.models import floats, integers, needs_runtime, node, weights

pytestmark = needs_runtime


def unpacked(data: bytes):  # type: ignore[no-untyped-def]
    return schema().ModelT.InitFromPackedBuf(data, 0)


def test_buffers_are_aligned_and_none_is_there_twice() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(5, 5, 3, 3)).astype(np.float32)
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Conv", ["c", "v"], ["y"])]
    data = write_model(floats([1, 5, 9, 9], nodes, {"w": kernel, "v": kernel})).data
    assert data[4:8] == b"TFL3"
    model = schema().Model.GetRootAs(data, 0)
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    stored = [each for each in buffers if each.DataLength()]
    places = [each._tab.Vector(each._tab.Offset(4)) for each in stored]
    assert places and all(place % ALIGNMENT == 0 for place in places)
    contents = [each.DataAsNumpy().tobytes() for each in stored]
    assert len(contents) == len(set(contents)) == 3  # the weights, a bias of noughts, and the metadata
    assert buffers[0].DataLength() == 0


def test_ports_are_named_and_the_order_of_their_axes_is_reported() -> None:
    model = unpacked(write_model(floats([1, 4, 5, 6], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])).data)
    (signature,) = model.signatureDefs
    assert [each.name for each in (*signature.inputs, *signature.outputs)] == [b"x", b"y"]
    (value,) = model.metadata
    assert value.name == ORDERS.encode()
    assert json.loads(bytes(model.buffers[value.buffer].data)) == {"x": [0, 2, 3, 1], "y": [0, 2, 3, 1]}


def test_operators_ask_for_no_newer_runtime_than_they_need() -> None:
    dequantized, stored = weights([6, 4, 1, 1])
    nodes = [*dequantized, node("Conv", ["xd", "wd", "b"], ["yd"])]
    model = unpacked(write_model(integers([1, 4, 5, 6], nodes, stored)).data)
    names = {value: name for name, value in vars(schema().BuiltinOperator).items() if isinstance(value, int)}
    assert {names[each.builtinCode]: each.version for each in model.operatorCodes} == {
        "QUANTIZE": 1,
        "CONV_2D": 3,
        "DEQUANTIZE": 2,
    }


def test_the_same_model_is_the_same_file() -> None:
    model = floats([1, 4, 5, 6], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])
    assert write_model(model).data == write_model(model).data


def test_a_channel_costs_no_more_than_its_numbers() -> None:
    """Of zero points, which are all nought, there is one vector of each length."""
    dequantized, stored = weights([256, 64, 1, 1])
    conv = node("Conv", ["xd", "wd", "b"], ["yd"])
    data = write_model(integers([1, 64, 5, 6], [*dequantized, conv], stored)).data
    assert len(data) <= 256 * 64 + 256 * 4 + 256 * (4 + 4 + 8) + 2048
