from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.errors import ModelError
from edgekit.host import this_host
from edgekit.model.reading import load_model
from edgekit.runtime_specs import NO_KERNEL
from edgekit.runtimes.ort import (
    exact_copy,
    host_outputs,
    inner_tensors,
    optimize_offline,
    saturates,
    session,
    session_outputs,
)


def test_a_model_runs(conv_model: Path) -> None:
    (y,) = host_outputs(conv_model, (np.zeros((2, 3, 6, 6), np.float32),))
    assert y.shape == (2, 5)


def test_optimizing_leaves_the_outputs(conv_model: Path, tmp_path: Path) -> None:
    x = (np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32),)
    optimize_offline(conv_model, tmp_path / "o.onnx", keep_int8_activations=False)
    assert len(load_model(tmp_path / "o.onnx").graph.node) < len(load_model(conv_model).graph.node)
    assert np.allclose(host_outputs(conv_model, x)[0], host_outputs(tmp_path / "o.onnx", x)[0], atol=1e-5)


def test_what_does_not_fit_is_reported(conv_model: Path, tmp_path: Path) -> None:
    running = session(conv_model)
    with pytest.raises(ModelError, match="takes 1 inputs, but the data has 2"):
        session_outputs(running, (np.zeros(1), np.zeros(1)))
    with pytest.raises(ModelError, match="does not take these inputs"):
        session_outputs(running, (np.zeros((1, 1, 6, 6), np.float32),))
    (tmp_path / "torn.onnx").write_bytes(conv_model.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot load"):
        session(tmp_path / "torn.onnx")
    with pytest.raises(ModelError, match="cannot optimize"):
        optimize_offline(tmp_path / "torn.onnx", tmp_path / "o.onnx", keep_int8_activations=False)


def test_inner_tensors_are_those_of_the_run(conv_model: Path) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    found = inner_tensors(conv_model, (x,))
    assert found.keys() == {"x", "c", "n", "r", "p", "f", "y"}
    assert found["c"].shape == (2, 4, 6, 6) and (found["r"] == np.maximum(found["n"], 0)).all()


def test_whether_integer_products_saturate_is_found_by_trying() -> None:
    """Where the CPU has VNNI, ONNX Runtime's kernels use it, and nothing saturates."""
    flags = set(this_host().isa)
    if "vnni" in flags:
        assert not saturates()
    elif "avx2" in flags:
        assert saturates()


def test_exact_kernels_add_what_others_lose(saturating: Path) -> None:
    x = (np.full((1, 64), 255, np.float32),)
    (y,) = session_outputs(session(saturating, exact=True), x)
    assert y == pytest.approx(np.full((1, 16), 255 * 127 * 64), rel=1e-6)
    assert np.array_equal(host_outputs(saturating, x)[0], y)
    (own,) = session_outputs(session(saturating), x)
    assert bool((own < 0.9 * y).any()) is saturates()


def test_only_what_saturates_is_copied(saturating: Path, conv_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    assert exact_copy(conv_model, folder) == conv_model
    assert (exact_copy(saturating, folder).parent == folder) is saturates()


def test_a_type_without_kernels_is_reported_without_the_name_of_an_inner_file(tmp_path: Path) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, ["n", 4]) for name in "xy"]
    weight = helper.make_tensor("w", TensorProto.BFLOAT16, (4, 4), bytes(32), raw=True)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], [weight])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "inner.onnx"
    )
    with pytest.raises(ModelError, match=r"cannot load the model: .*MatMul") as raised:
        session(tmp_path / "inner.onnx")
    assert raised.value.hint == NO_KERNEL and "inner" not in raised.value.message
