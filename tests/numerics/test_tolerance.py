from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import edgekit
from edgekit.model.facts import output_step
from edgekit.model.passes.dynamic_products import DynamicProductsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.reading import load_model, save_model
from edgekit.numerics.compare import relative_difference
from edgekit.numerics.tolerance import float_tolerance, lsb_tolerance, tie_tolerance
from edgekit.runtimes.ort import feed_outputs, host_outputs

SEED = np.random.default_rng(0)


def tolerance(path: Path, x: np.ndarray) -> float:
    return float_tolerance(host_outputs(path, (x,), optimize=False), host_outputs(path, (x,)))


def test_an_ordinary_networks_rounding_is_small(conv_model: Path) -> None:
    x = SEED.standard_normal((4, 3, 6, 6)).astype(np.float32)
    assert tolerance(conv_model, x) == 1e-4


def test_a_rest_of_large_sums_is_given_what_its_own_rounding_takes(cancelling: Path) -> None:
    x = SEED.standard_normal((8, 1, 8, 8)).astype(np.float32)
    assert 2e-4 < tolerance(cancelling, x) < 0.05
    assert tolerance(cancelling, x * 1e-2) == 0.05


def _deep(path: Path, layers: int) -> Path:
    """Products over the rows of (batch, 64), each by the range of the run, with what a ReLU leaves in between."""
    random = np.random.default_rng(0)
    weights = [random.standard_normal((64, 64)).astype(np.float32) / 5 for _ in range(layers)]
    shifts = [random.standard_normal(64).astype(np.float32) for _ in range(layers)]
    nodes = []
    for layer in range(layers):
        nodes += [
            helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"a{layer}"]),
            helper.make_node("Add", [f"a{layer}", f"b{layer}"], [f"s{layer}"]),
            helper.make_node("Relu", [f"s{layer}"], [f"x{layer + 1}"]),
        ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 64]) for name in ("x0", f"x{layers}")]
    tensors = [
        numpy_helper.from_array(array, f"{name}{number}")
        for name, arrays in (("w", weights), ("b", shifts))
        for number, array in enumerate(arrays)
    ]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    save_model(rewrite(model, DynamicProductsPass(reduced=False)), path)
    return path


def test_steps_that_rounding_moves_are_given_what_a_nudge_takes(tmp_path: Path) -> None:
    feeds = (np.random.default_rng(1).standard_normal((4, 8, 64)).astype(np.float32),)
    assert lsb_tolerance(_deep(tmp_path / "one.onnx", 1), feeds) == 0.01, "nothing lies behind the first rounding"
    deep = lsb_tolerance(_deep(tmp_path / "deep.onnx", 24), feeds)
    assert 0.01 < deep < 0.2
    assert deep == lsb_tolerance(tmp_path / "deep.onnx", feeds), "the same each time"


def test_it_takes_in_what_another_order_of_operations_changes(tmp_path: Path) -> None:
    path = _deep(tmp_path / "deep.onnx", 24)
    feeds = (np.random.default_rng(1).standard_normal((4, 8, 64)).astype(np.float32),)
    apart = relative_difference(feed_outputs(path, feeds, optimize=False), feed_outputs(path, feeds))
    assert apart <= lsb_tolerance(path, feeds)


def _convolutions(folder: Path, layers: int) -> Path:
    """Pointwise convolutions over 32 channels, each with a ReLU behind it, in INT8."""
    random = np.random.default_rng(0)
    nodes, tensors = [], []
    for layer in range(layers):
        nodes += [
            helper.make_node("Conv", [f"x{layer}", f"w{layer}", f"b{layer}"], [f"s{layer}"]),
            helper.make_node("Relu", [f"s{layer}"], [f"x{layer + 1}"]),
        ]
        weight = random.standard_normal((32, 32, 1, 1)).astype(np.float32) / 4
        tensors.append(numpy_helper.from_array(weight, f"w{layer}"))
        tensors.append(numpy_helper.from_array(random.standard_normal(32).astype(np.float32), f"b{layer}"))
    shape = ["batch", 32, 8, 8]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x0", f"x{layers}")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "m.onnx")
    np.savez(folder / "samples.npz", random.standard_normal((32, 32, 8, 8)).astype(np.float32))
    return edgekit.quantize(folder / "m.onnx", calibration=folder / "samples.npz", target="x86-vnni").path


def test_ties_move_one_step_of_a_layer_and_more_behind_many(tmp_path: Path) -> None:
    """A MobileNetV2 of random weights: two elements fell to the other side on a Cortex-A72, and two steps apart it
    ended."""
    feeds = (np.random.default_rng(1).standard_normal((8, 1, 32, 8, 8)).astype(np.float32),)
    found = {}
    for layers in (1, 24):
        (tmp_path / str(layers)).mkdir()
        path = _convolutions(tmp_path / str(layers), layers)
        (step,) = output_step(load_model(path)).values()
        found[layers] = tie_tolerance(path, feeds, 0, step) / step
    assert found[1] == 1.0 and 1.5 < found[24] <= 4.0
