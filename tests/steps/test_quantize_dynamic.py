from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.contract.step import Outcome
from edgekit.errors import StepError
from edgekit.model.facts import integer_forms_of, observed_facts
from edgekit.model.inspection import inspect_model
from edgekit.model.reading import load_model
from edgekit.project.project import Project
from edgekit.steps.fuse import Fuse
from edgekit.steps.quantize_dynamic import QuantizeDynamic
from edgekit.traits import Trait


def noise(done: Outcome) -> float:
    (found,) = done.notes["signal_to_noise_db"].values()
    return float(found)


def test_smoothing_is_chosen_where_it_saves_what_one_range_loses(
    run_step: Callable[..., Outcome], tiny: Project, attending: Path
) -> None:
    chosen = run_step(QuantizeDynamic(), tiny, attending)
    plain = run_step(QuantizeDynamic(smoothing="none"), tiny, attending)
    assert (plain.notes["smoothing"], chosen.notes["smoothing"] is not None) == (None, True)
    assert noise(chosen) > noise(plain) + 6
    given = run_step(QuantizeDynamic(smoothing=chosen.notes["smoothing"]), tiny, attending)
    assert given.path.read_bytes() == chosen.path.read_bytes()
    assert {Trait.INTEGER, Trait.PORTABLE} <= observed_facts(load_model(chosen.path))
    assert chosen.notes["calibration_samples"] == 32


def feed_forward(path: Path, first: int, second: int) -> Path:
    """Two products over signs, 64 to 96 to 4, of the tiny project's images, with a ReLU between; the channel `first` of
    what goes into the one grows sixtyfold, and the channel `second` of what goes into the other."""
    random = np.random.default_rng(4)
    arrays = {"flat": np.array([-1, 64])}
    for name, gain, shape, grown in (("a", "g", (64, 96), first), ("b", "h", (96, 4), second)):
        gains = np.ones(shape[0], np.float32)
        if grown >= 0:
            gains[grown] = 60
        arrays |= {gain: gains, name: (random.choice([-1, 1], shape) / gains[:, None]).astype(np.float32)}
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["x"]),
        helper.make_node("Mul", ["x", "g"], ["xg"]),
        helper.make_node("MatMul", ["xg", "a"], ["y"]),
        helper.make_node("Relu", ["y"], ["r"]),
        helper.make_node("Mul", ["r", "h"], ["rh"]),
        helper.make_node("MatMul", ["rh", "b"], ["logits"]),
    ]
    ports = (("image", ["batch", 1, 8, 8]), ("logits", ["batch", 4]))
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ports)
    graph = helper.make_graph(
        nodes, "g", [given], [made], [numpy_helper.from_array(each, name) for name, each in arrays.items()]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("first", "second", "passes", "everywhere"),
    [(-1, -1, 0, True), (-1, 5, 1, False), (7, -1, 2, True), (7, 5, 2, True)],
    ids=["nothing", "what narrows", "what widens", "both"],
)
def test_no_pass_over_activations_that_saves_nearly_nothing(
    run_step: Callable[..., Outcome],
    tiny: Project,
    tmp_path: Path,
    first: int,
    second: int,
    passes: int,
    everywhere: bool,
) -> None:
    path = feed_forward(tmp_path / "m.onnx", first, second)
    done = run_step(QuantizeDynamic(), tiny, path)
    smoothed = [node for node in load_model(done.path).graph.node if node.output[0].endswith("_smooth")]
    assert len(smoothed) == passes
    assert (done.notes["smoothing"] is not None) == (passes > 0)
    assert done.notes["smoothed_everywhere"] is everywhere
    if passes:
        whole = run_step(QuantizeDynamic(smoothing=done.notes["smoothing"]), tiny, path)
        assert noise(done) >= noise(whole) - 1


@pytest.mark.parametrize("target", ["rpi4", "x86-vnni", "x86-avx2"])
def test_products_over_weights_alone_become_integers(
    run_step: Callable[..., Outcome], tiny: Project, attending: Path, target: str
) -> None:
    done = run_step(QuantizeDynamic(), tiny, attending, target)
    assert inspect_model(done.path).weight_types["int8"] == 4 * 64 + 64 * 4
    assert done.notes["reduce_range"] is (target == "x86-avx2")
    fused = run_step(Fuse(), tiny, done.path, target)
    assert fused.notes["integer_operators"] == 5
    floating = fused.notes["float_operators"]
    assert floating["MatMul"] + floating["FusedMatMul"] == 2, "of activations with one another"
    assert "SkipLayerNormalization" not in fused.notes["operators"]


def test_a_network_without_products_is_reported(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1, 8, 8]) for name in ("image", "logits")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["logits"])], "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(StepError, match="no matrix product with constant weights"):
        run_step(QuantizeDynamic(), tiny, tmp_path / "m.onnx")


def test_blocks_are_left_to_the_runtime_to_fuse(
    run_step: Callable[..., Outcome], tiny: Project, attending: Path
) -> None:
    done = run_step(QuantizeDynamic(blocks=True), tiny, attending)
    assert {Trait.INTEGER, Trait.PORTABLE} <= observed_facts(load_model(done.path))
    assert done.notes["blocks"] is True
    fused = run_step(Fuse(), tiny, done.path)
    assert fused.notes["operators"]["MatMulNBits"] == 1, "the head gives 4 numbers of 64"
    assert noise(done) >= noise(run_step(QuantizeDynamic(), tiny, attending)) - 1


@pytest.mark.parametrize("target", ["rpi4", "x86-avx2"])
def test_neural_compressor_gives_the_ranges_of_each_run_too(
    run_step: Callable[..., Outcome], tiny: Project, attending: Path, target: str
) -> None:
    pytest.importorskip("neural_compressor")
    done = run_step(QuantizeDynamic(backend="inc"), tiny, attending, target)
    model = load_model(done.path)
    assert {Trait.INTEGER, Trait.PORTABLE} <= observed_facts(model)
    assert "dynamic" in integer_forms_of(model)
    assert done.notes["backend"] == "inc" and len(done.notes["trials"]) >= 1 and "smoothing" not in done.notes
    run_step(Fuse(), tiny, done.path, target)


def test_the_better_of_both_is_kept(run_step: Callable[..., Outcome], tiny: Project, attending: Path) -> None:
    pytest.importorskip("neural_compressor")
    done = run_step(QuantizeDynamic(backend="best"), tiny, attending)
    values = done.notes["values"]
    assert values["ort"] > values["inc"], "one range for all channels loses what smoothing saves"
    assert (done.notes["backend"], done.notes["failed"]) == ("ort", {})
    assert done.path.read_bytes() == run_step(QuantizeDynamic(), tiny, attending).path.read_bytes()
    assert [each.name for each in done.path.parent.glob("*.onnx")] == ["model.onnx"]
