import pytest
from onnx import ModelProto, TensorProto, helper

from edgekit.model.architecture import architecture_of


def graph(*nodes: tuple[str, list[str], list[str]]) -> ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    made = [helper.make_node(*node) for node in nodes]
    return helper.make_model(helper.make_graph(made, "g", ports[:1], ports[1:]))


ATTENTION = [
    ("MatMul", ["x", "x"], ["scores"]),
    ("Softmax", ["scores"], ["weights"]),
    ("Dropout", ["weights"], ["dropped"]),
    ("MatMul", ["dropped", "x"], ["y"]),
]


@pytest.mark.parametrize(
    ("nodes", "architecture"),
    [
        (ATTENTION, "transformer"),
        ([("Conv", ["x", "w"], ["c"]), *ATTENTION], "transformer"),
        ([("MultiHeadAttention", ["x"], ["y"])], "transformer"),
        ([("Conv", ["x", "w"], ["c"]), ("Softmax", ["c"], ["y"])], "cnn"),
        ([("Softmax", ["x"], ["s"]), ("MatMul", ["x", "x"], ["y"])], "other"),
        ([("LSTM", ["x"], ["y"])], "other"),
    ],
)
def test_what_a_graph_is_made_of(nodes: list[tuple[str, list[str], list[str]]], architecture: str) -> None:
    assert architecture_of(graph(*nodes)) == architecture
