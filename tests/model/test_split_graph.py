from pathlib import Path

import numpy as np
import onnx

from edgekit.model.reading import load_model
from edgekit.model.shapes import with_shapes
from edgekit.model.split_graph import expose_tensors, split_at
from edgekit.runtimes.ort import session


def test_every_operators_tensor_becomes_an_output(conv_model: Path) -> None:
    model = expose_tensors(load_model(conv_model))
    assert [each.name for each in model.graph.output] == ["y", "c", "n", "r", "p", "f"]


def test_each_operator_works_on_what_it_is_given(conv_model: Path, tmp_path: Path) -> None:
    onnx.save(split_at(with_shapes(load_model(conv_model)), {"n", "r", "y"}), tmp_path / "cut.onnx")
    running = session(tmp_path / "cut.onnx", optimize=False)
    assert [each.name for each in running.get_inputs()] == ["x", "n@given", "r@given", "y@given"]
    assert {each.name for each in running.get_outputs()} == {"n", "r", "y"}
    random = np.random.default_rng(0)
    given = {
        each.name: random.standard_normal((2, *each.shape[1:])).astype(np.float32) for each in running.get_inputs()
    }
    made = dict(zip(("n", "r"), running.run(["n", "r"], given), strict=True))
    assert np.array_equal(made["r"], np.maximum(given["n@given"], 0)), "not of the n that was made"
    assert not np.array_equal(made["n"], given["n@given"])


def test_a_reader_inside_control_flow_is_given_it_too(branching: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(split_at(with_shapes(branching), {"r"}), tmp_path / "cut.onnx")
    running = session(tmp_path / "cut.onnx", optimize=False)
    given = {"x": np.full((1, 4), -3, np.float32), "r@given": np.full((1, 4), 7, np.float32)}
    made = dict(zip((each.name for each in running.get_outputs()), running.run(None, given), strict=True))
    assert (made["r"] == 0).all() and (made["y"] == 7).all()
