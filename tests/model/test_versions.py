import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ModelError
from edgekit.model.operators import opset_of
from edgekit.model.versions import upgrade_opset


def model(kind: str, opset: int, **attributes: object) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"], **attributes)], "g", ports[:1], ports[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)


def test_an_old_opset_is_raised_and_a_newer_one_left() -> None:
    assert opset_of(upgrade_opset(model("Softmax", 9, axis=1), 13)) == 13
    newer = model("Softmax", 17)
    assert upgrade_opset(newer, 13) is newer


def test_what_cannot_follow_is_reported() -> None:
    with pytest.raises(ModelError, match="opset 9 cannot be raised to 13"):
        upgrade_opset(model("Upsample", 9, mode="nearest"), 13)
