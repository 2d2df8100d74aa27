import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgekit.numerics.perturb import perturb_ulp


def _model(**arrays: np.ndarray) -> ModelProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    ports = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    nodes = [helper.make_node("Identity", [next(iter(arrays))], ["y"])]
    return helper.make_model(helper.make_graph(nodes, "g", [], ports, tensors))


def _arrays(model: ModelProto) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def test_each_float_moves_by_its_last_places() -> None:
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    model = _model(values=values)
    moved = _arrays(perturb_ulp(model, np.random.default_rng(1)))["values"]
    places = np.abs(moved - values) / np.spacing(np.abs(values))
    assert places.max() <= 4
    assert 0.5 < (places > 0).mean() < 1
    assert np.array_equal(_arrays(model)["values"], values)


def test_what_is_no_rounding_stays() -> None:
    model = _model(
        one=np.array(1, np.float32),
        integers=np.arange(9, dtype=np.int8),
        mask=np.array([0, -np.inf, np.finfo(np.float32).min], np.float32),
    )
    moved = _arrays(perturb_ulp(model, np.random.default_rng(0)))
    assert moved["one"] == 1
    assert np.array_equal(moved["integers"], np.arange(9))
    assert moved["mask"][0] == 0
    assert moved["mask"][1] == -np.inf
    assert np.isfinite(moved["mask"][2])
