from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.numerics.lost_levels import collapsed_tensors, mixed_range_tensors, nodes_behind, nodes_beside
from edgekit.runtimes.ort import inner_tensors

SCORES = np.random.default_rng(0).standard_normal((8, 6, 6)).astype(np.float32)
CAUSAL = np.triu(np.ones((6, 6), bool), 1)


@pytest.mark.parametrize(
    ("low", "told"), [(-np.inf, "not finite"), (np.finfo(np.float32).min, "2 of"), (-1e4, "2 of"), (-1e3, " of")]
)
def test_one_scale_cannot_hold_a_mask_and_scores(low: float, told: str) -> None:
    masked = np.where(CAUSAL, np.float32(low), SCORES)
    assert told in collapsed_tensors({"t": masked})["t"]


def test_one_scale_that_holds_zero_cannot_tell_apart_what_is_far_from_it() -> None:
    assert collapsed_tensors({"t": SCORES + 1000}) == {"t": "3 of 288 values left"}


@pytest.mark.parametrize(
    "array",
    [
        SCORES,
        np.where(CAUSAL, np.float32(-30), SCORES),
        np.where(CAUSAL, np.float32(-1e9), np.float32(0)),
        np.maximum(SCORES, 0),
        np.zeros((8, 6), np.float32),
        np.zeros((0, 6), np.float32),
        np.float32(3.0),
    ],
    ids=["scores", "a mild mask", "the mask alone", "relu", "zeros", "empty", "scalar"],
)
def test_what_a_scale_can_hold_is_left_alone(array: np.ndarray) -> None:
    assert collapsed_tensors({"t": np.asarray(array)}) == {}


def test_nodes_on_both_sides_of_a_tensor_are_found(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "m"], ["s"], name="add"),
        helper.make_node("Softmax", ["s"], ["p"], name="softmax"),
        helper.make_node("Relu", ["p"], ["y"], name="relu"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 6, 6]) for name in ("x", "y")]
    mask = numpy_helper.from_array(np.where(CAUSAL, -np.inf, 0).astype(np.float32), "m")
    model = helper.make_model(
        helper.make_graph(nodes, "g", ports[:1], ports[1:], [mask]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, tmp_path / "m.onnx")
    wiped = collapsed_tensors(inner_tensors(tmp_path / "m.onnx", (SCORES,)))
    assert nodes_beside(model, wiped) == {"add": "Add: s, not finite", "softmax": "Softmax: s, not finite"}


BOXES = np.random.default_rng(1).uniform(0, 640, (8, 10, 4)).astype(np.float32)
CLASSES = np.random.default_rng(2).uniform(0, 1, (8, 10, 3)).astype(np.float32)


def merging(op: str) -> onnx.ModelProto:
    nodes = {
        "Concat": [helper.make_node("Concat", ["boxes", "scores"], ["m"], axis=2)],
        "Stack": [
            helper.make_node("Unsqueeze", ["boxes", "one"], ["u"]),
            helper.make_node("Unsqueeze", ["scores", "one"], ["v"]),
            helper.make_node("Concat", ["u", "v"], ["m"], axis=1),
        ],
        "Where": [helper.make_node("Where", ["chosen", "boxes", "scores"], ["m"])],
        "Gather": [helper.make_node("Gather", ["table", "one"], ["m"])],
    }[op]
    behind = [helper.make_node("Reshape", ["m", "shape"], ["c"]), helper.make_node("Gather", ["c", "one"], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("boxes", "scores", "y")]
    table = np.concatenate([BOXES.reshape(-1, 4), CLASSES.reshape(-1, 3)], 1)
    constants = {"one": np.array([1]), "shape": np.array([-1]), "chosen": np.array(True), "table": table}
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph([*nodes, *behind], "g", ports[:2], ports[2:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("op", ["Concat", "Stack", "Where", "Gather"])
@pytest.mark.parametrize("alike", [False, True])
def test_what_an_operator_forces_on_one_scale_is_found_and_followed(op: str, alike: bool) -> None:
    scores = CLASSES * (640 if alike else 1)
    model = merging(op)
    if alike:
        model.graph.initializer[-1].CopyFrom(numpy_helper.from_array(BOXES.reshape(-1, 4), "table"))
    tensors = dict.fromkeys(("u", "v", "m", "c", "y"), np.zeros(1, np.float32)) | {"boxes": BOXES, "scores": scores}
    tensors |= {"u": BOXES, "v": scores}
    found = mixed_range_tensors(model, tensors)
    assert list(found) == ([] if alike else ["m", "c"])
    assert all(" values left" in entry for entry in found.values())


def test_nodes_behind_reach_back_to_what_is_rounded() -> None:
    kinds = [("Add", "x", "a"), ("Sqrt", "a", "b"), ("Reciprocal", "b", "c"), ("Relu", "c", "y")]
    nodes = [helper.make_node(kind, [taken], [given], name=kind) for kind, taken, given in kinds]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    assert set(nodes_behind(model, {"c": "lost"}, {"a"})) == {"Sqrt", "Add"}
    assert set(nodes_behind(model, {"c": "lost"}, {"b"})) == {"Sqrt"}
    assert nodes_behind(model, {"x": "lost"}, set()) == {}
