import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.contract.step import Outcome
from edgekit.data.splits import Splits
from edgekit.errors import StepError
from edgekit.model.facts import activation_types, observed_facts
from edgekit.model.inspection import inspect_model
from edgekit.model.reading import load_model
from edgekit.model.shapes import with_shapes
from edgekit.numerics.compare import relative_difference, signal_to_noise
from edgekit.project.project import Project, load_project
from edgekit.quantizers import onnxruntime_static
from edgekit.runtimes.ort import session, session_outputs
from edgekit.steps.fuse import Fuse
from edgekit.steps.quantize import Quantize, _check_quantized, _check_scales
from edgekit.traits import Data, Trait


@pytest.mark.parametrize(("target", "activation"), [("rpi4", "int8"), ("x86-vnni", "uint8")])
def test_the_scheme_is_the_targets(
    run_step: Callable[..., Outcome], tiny: Project, plain: Path, target: str, activation: str
) -> None:
    done = run_step(Quantize(), tiny, plain, target)
    model = load_model(done.path)
    assert activation_types(model) == {activation}
    assert {Trait.INTEGER, Trait.FOLDED, Trait.PORTABLE} <= observed_facts(model)
    assert done.notes["calibration_samples"] == 32
    assert inspect_model(done.path).weight_types.keys() == {"int8", "int32"}


def test_options_win_over_the_target(run_step: Callable[..., Outcome], tiny: Project, plain: Path) -> None:
    done = run_step(Quantize(activation="uint8", per_channel="no", calibration="percentile"), tiny, plain)
    assert activation_types(load_model(done.path)) == {"uint8"}
    assert done.notes["per_channel"] is False


def test_seven_bit_weights_where_the_target_saturates(
    run_step: Callable[..., Outcome], tiny: Project, plain: Path
) -> None:
    largest = {}
    for target in ("x86-avx2", "x86-vnni"):
        graph = load_model(run_step(Quantize(), tiny, plain, target).path).graph
        weights = [
            numpy_helper.to_array(each) for each in graph.initializer if each.data_type == 3 and len(each.dims) > 1
        ]
        largest[target] = max(abs(each.astype(int)).max() for each in weights)
    assert largest["x86-avx2"] <= 64 < largest["x86-vnni"] <= 127


def saved(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], opset: int = 17) -> Path:
    """A graph from the tiny project's images to 4 numbers."""
    ports = [("image", ["batch", 1, 8, 8]), ("logits", ["batch", 4])]
    (image, logits) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ports)
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [image], [logits], tensors),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=9,
    )
    onnx.save(with_shapes(model), path)
    return path


def apart(project: Project, before: Path, after: Path) -> float:
    """Without the runtime's optimization: kernels that saturate on this machine are no fault of the file."""
    inputs = Splits(project)[Data.CALIBRATION].alike()[0]
    float_, integer = (session_outputs(session(path, optimize=False), inputs) for path in (before, after))
    return relative_difference(float_, integer)


def weights(*shape: int) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) / 4).astype(np.float32)


@pytest.mark.parametrize("low", [-np.inf, np.finfo(np.float32).min, -1e4], ids=["-inf", "lowest", "-10,000"])
@pytest.mark.parametrize("target", ["rpi4", "x86-vnni"])
def test_masks_and_what_they_mask_stay_float(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, low: float, target: str
) -> None:
    nodes = [
        helper.make_node("Reshape", ["image", "rows"], ["x"]),
        helper.make_node("MatMul", ["x", "query"], ["q"]),
        helper.make_node("Transpose", ["x"], ["k"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k"], ["scores"]),
        helper.make_node("Add", ["scores", "mask"], ["masked"]),
        helper.make_node("Softmax", ["masked"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "x"], ["mixed"]),
        helper.make_node("ReduceMean", ["mixed"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["mean", "head"], ["logits"]),
    ]
    mask = np.where(np.triu(np.ones((8, 8), bool), 1), np.float32(low), np.float32(0))
    constants = {"rows": np.array([0, 8, 8]), "query": weights(8, 8), "mask": mask, "head": weights(8, 4)}
    model = saved(tmp_path / "masked.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model, target)
    assert sorted(entry.split(":")[0] for entry in done.notes["kept_float"].values()) == ["Add", "Softmax"]
    assert apart(tiny, model, done.path) < 0.05
    assert "int8" in inspect_model(done.path).weight_types


@pytest.mark.parametrize("target", ["rpi4", "x86-vnni"])
def test_a_table_that_is_looked_up_and_multiplied_by_has_one_scale(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, target: str
) -> None:
    """As tied embeddings are: per channel, what was looked up had the scales of the table's rows."""
    nodes = [
        helper.make_node("Flatten", ["image"], ["x"]),
        helper.make_node("Gemm", ["x", "w"], ["q"]),
        helper.make_node("ArgMax", ["q"], ["word"], axis=1, keepdims=0),
        helper.make_node("Gather", ["table", "word"], ["found"]),
        helper.make_node("Gemm", ["found", "v", "b"], ["mixed"]),
        helper.make_node("Gemm", ["mixed", "table"], ["logits"], transB=1),
    ]
    constants = {"w": weights(64, 6), "table": weights(4, 8), "v": weights(8, 8), "b": weights(8)}
    constants["w"] = constants["w"][:, :4].copy()
    model = saved(tmp_path / "tied.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model, target)
    assert done.notes["kept_float"] == {}
    stored = [tensor for tensor in load_model(done.path).graph.initializer if list(tensor.dims) == [4, 8]]
    assert len(stored) == 1 and stored[0].data_type in (TensorProto.INT8, TensorProto.UINT8)
    assert done.notes["signal_to_noise_db"]["logits"] > 20


@pytest.mark.parametrize(("factors", "bias"), [({}, (1, 4)), ({"alpha": 0.5, "beta": 2.0}, (4,)), ({"beta": 3.0}, ())])
def test_factors_and_shapes_of_a_bias_survive(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, factors: dict[str, float], bias: tuple[int, ...]
) -> None:
    nodes = [
        helper.make_node("Flatten", ["image"], ["x"]),
        helper.make_node("Gemm", ["x", "w", "b"], ["logits"], **factors),
    ]
    constants = {"w": weights(64, 4), "b": np.asarray(weights(*bias, 2).sum(-1) * 4 + 3, np.float32)}
    model = saved(tmp_path / "gemm.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model)
    assert apart(tiny, model, done.path) < 0.05
    assert done.notes["kept_float"] == {}


def test_a_relu_that_never_opened_in_calibration_still_clips(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("Flatten", ["image"], ["x"]),
        helper.make_node("Gemm", ["x", "w", "low"], ["g"], name="gemm"),
        helper.make_node("Relu", ["g"], ["r"], name="shut"),
        helper.make_node("Gemm", ["x", "v"], ["h"]),
        helper.make_node("Add", ["r", "h"], ["logits"]),
    ]
    constants = {"w": weights(64, 4), "low": np.full(4, -100, np.float32), "v": weights(4, 64).T.copy()}
    model = saved(tmp_path / "shut.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model)
    assert list(done.notes["kept_float"]) == ["shut"]
    assert "whose integers represent -128 to 127" in done.notes["kept_float"]["shut"]
    assert apart(tiny, model, done.path) < 0.05


def test_a_relu_that_a_branch_reads_stays(run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path) -> None:
    inner = helper.make_tensor_value_info("o", TensorProto.FLOAT, ["batch", 4])
    branches = [helper.make_graph([helper.make_node(op, ["r"], ["o"])], op, [], [inner]) for op in ("Identity", "Neg")]
    nodes = [
        helper.make_node("Flatten", ["image"], ["x"]),
        helper.make_node("Gemm", ["x", "w"], ["g"], name="gemm"),
        helper.make_node("Relu", ["g"], ["r"], name="read"),
        helper.make_node("If", ["true"], ["i"], name="if", then_branch=branches[0], else_branch=branches[1]),
        helper.make_node("Gemm", ["r", "v"], ["h"]),
        helper.make_node("Add", ["i", "h"], ["logits"]),
    ]
    constants = {"w": weights(64, 4), "v": weights(4, 4), "true": np.array(True)}
    model = saved(tmp_path / "branch.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model, "x86-vnni")
    assert done.notes["kept_float"] == {"read": "Relu: r, which a subgraph of a control-flow operator reads"}
    assert apart(tiny, model, done.path) < 0.05


@pytest.mark.parametrize("merged", [True, False], ids=["concatenated", "one layer"])
@pytest.mark.parametrize("target", ["rpi4", "x86-vnni"])
def test_scores_beside_boxes_are_not_lost(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, merged: bool, target: str
) -> None:
    """Two boxes' edges up to 640 and two scores from 0 to 1: one scale makes every score 0."""
    large, small = weights(64, 2) * 100, weights(2, 64).T.copy() / 4
    head = [
        helper.make_node("Gemm", ["h", "large"], ["boxes"], name="boxes"),
        helper.make_node("Gemm", ["h", "small"], ["scores"], name="scores"),
        helper.make_node("Concat", ["boxes", "scores"], ["logits"], name="concat", axis=1),
    ]
    nodes = [
        helper.make_node("Flatten", ["image"], ["x"]),
        helper.make_node("Gemm", ["x", "w"], ["g"], name="gemm"),
        helper.make_node("Relu", ["g"], ["h"], name="relu"),
        *(head if merged else [helper.make_node("Gemm", ["h", "both"], ["logits"], name="both")]),
    ]
    constants = {"w": weights(64, 64), "large": large, "small": small, "both": np.concatenate([large, small], 1)}
    model = saved(tmp_path / "detector.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model, target)
    assert set(done.notes["kept_float"]) == ({"concat"} if merged else {"both"})
    inputs = Splits(tiny)[Data.CALIBRATION].alike()[0]
    float_, integer = (session_outputs(session(path, optimize=False), inputs)[0] for path in (model, done.path))
    assert signal_to_noise(float_[:, 2:], integer[:, 2:]) > 20
    assert done.notes["lost_parts"] == {}


def test_what_moves_numbers_moves_integers(run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["wide"]),
        helper.make_node("DepthToSpace", ["wide"], ["high"], blocksize=2),
        helper.make_node("Pad", ["high", "pads"], ["padded"], mode="reflect"),
        helper.make_node("Conv", ["padded", "v"], ["maps"], strides=[4, 4]),
        helper.make_node("Flatten", ["maps"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head"], ["logits"]),
    ]
    constants = {
        "w": weights(8, 1, 1, 1), "v": weights(4, 2, 4, 4), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "head": weights(64, 4),
    }  # fmt: skip
    model = saved(tmp_path / "moved.onnx", nodes, constants)
    done = run_step(Quantize(), tiny, model)
    makers = {name: node.op_type for node in onnx.load(done.path).graph.node for name in node.output}
    read = {node.op_type: makers[node.input[0]] for node in onnx.load(done.path).graph.node if node.input[0] in makers}
    assert (read["DepthToSpace"], read["Pad"]) == ("QuantizeLinear", "DepthToSpace")
    assert apart(tiny, model, done.path) < 0.05


ERF = [
    helper.make_node("Div", ["wide", "root"], ["d"]), helper.make_node("Erf", ["d"], ["e"]),
    helper.make_node("Add", ["e", "one"], ["f"]), helper.make_node("Mul", ["wide", "f"], ["g"]),
    helper.make_node("Mul", ["g", "half"], ["m"]),
]  # fmt: skip
NORM = ["opened", "gamma", "beta", "mean", "variance"]
ACTIVATIONS = {
    "HardSwish": ([helper.make_node("HardSwish", ["wide"], ["m"])], {}),
    "Tanh": ([helper.make_node("Tanh", ["wide"], ["m"])], {}),
    "Max": ([helper.make_node("Max", ["wide", "nought"], ["m"])], {}),
    "norm": (
        [helper.make_node("Relu", ["wide"], ["opened"]), helper.make_node("BatchNormalization", NORM, ["m"])],
        {},
    ),
    "Gelu": (ERF, {"Gelu": 1}),
}


@pytest.mark.parametrize("target", ["rpi4", "x86-vnni"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_island_remains_that_an_integer_kernel_or_one_on_floats_avoids(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, name: str, target: str
) -> None:
    nodes, islands = ACTIVATIONS[name]
    whole = [
        helper.make_node("Conv", ["image", "w"], ["wide"]),
        *nodes,
        helper.make_node("Conv", ["m", "v"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    one = np.ones(8, np.float32)
    known = {
        "w": weights(8, 1, 3, 3), "v": weights(4, 8, 3, 3), "nought": np.float32(0), "gamma": one, "beta": one / 2,
        "mean": one / 3, "variance": one * 2, "root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5),
    }  # fmt: skip
    used = {each for node in whole for each in node.input}
    model = saved(tmp_path / "m.onnx", whole, {key: np.asarray(value) for key, value in known.items() if key in used})
    quantized = run_step(Quantize(), tiny, model, target)
    assert apart(tiny, model, quantized.path) < 0.05
    fused = run_step(Fuse(), tiny, quantized.path, target)
    assert fused.notes["islands"] == fused.notes["float_operators"] == islands


def test_why_nothing_is_in_integers() -> None:
    """An If is no reason where integers were tried and lost the scores."""
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    branches = [helper.make_graph([helper.make_node(kind, ["x"], ["y"])], kind, [], [y]) for kind in ("Relu", "Neg")]
    node = helper.make_node("If", ["low"], ["y"], then_branch=branches[0], else_branch=branches[1])
    inside, plain = (helper.make_model(helper.make_graph(each, "g", [], [y])) for each in ([node], []))
    kept, noisy = {"add": "Add: a mask"}, {"gemm": "parts lost: scores"}
    for model, reasons, entry in (
        (inside, (kept, {}), "the network is inside If"),
        (inside, (kept | noisy, noisy), "parts lost: scores"),
        (plain, (kept, {}), "Add: a mask"),
        (plain, ({}, {}), "remove quantize from the recipe"),
    ):
        with pytest.raises(StepError) as raised:
            _check_quantized(model, *reasons)
        assert entry in raised.value.message + "; " + raised.value.hint


def test_a_model_without_weights_has_nothing_to_quantize(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    """Its activations alone were rounded, which no kernel gains from."""
    nodes = [
        helper.make_node("Div", ["image", "two"], ["half"]),
        helper.make_node("Mul", ["half", "four"], ["double"]),
        helper.make_node("Add", ["half", "double"], ["sum"]),
        helper.make_node("Flatten", ["sum"], ["flat"]),
        helper.make_node("Slice", ["flat", "from", "to", "axis"], ["logits"]),
    ]
    numbers = {"from": [0], "to": [4], "axis": [1]}
    constants = {"two": np.float32(2), "four": np.float32(4)}
    constants |= {name: np.array(values, np.int64) for name, values in numbers.items()}
    with pytest.raises(StepError, match="no operator can be quantized: no operator has weights") as raised:
        run_step(Quantize(), tiny, saved(tmp_path / "plain.onnx", nodes, constants))
    assert "deploy the float model" in raised.value.hint


def upsampling(path: Path, groups: int, bias: bool, dynamic: bool = False) -> Path:
    """A convolution and a transposed one, with groups and a bias."""
    wanted = ["r", "up", *(["doubled" if dynamic else "shift"] if bias else [])]
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        *([helper.make_node("Add", ["shift", "shift"], ["doubled"], name="twice")] if dynamic else []),
        helper.make_node("ConvTranspose", wanted, ["u"], name="up", group=groups, strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["u"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["logits"], name="flat"),
    ]
    constants = {"kernel": weights(8, 1, 3, 3), "up": weights(8, 4 // groups, 2, 2), "shift": weights(4)}
    return saved(path, nodes, constants)


@pytest.mark.parametrize("target", ["rpi4", "x86-vnni"])
@pytest.mark.parametrize(("groups", "bias"), [(1, True), (2, True), (4, True), (2, False)])
def test_a_transposed_convolution_may_have_groups_and_a_bias(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, groups: int, bias: bool, target: str
) -> None:
    model = upsampling(tmp_path / "up.onnx", groups, bias)
    done = run_step(Quantize(), tiny, model, target)
    assert done.notes["kept_float"] == {} and apart(tiny, model, done.path) < 0.05
    stored = {tuple(each.dims): each.data_type for each in load_model(done.path).graph.initializer}
    assert stored[8, 4 // groups, 2, 2] in (TensorProto.INT8, TensorProto.UINT8)
    assert stored[(8,)] == TensorProto.FLOAT, "the other convolution keeps one scale per channel"


def test_an_operator_on_which_the_quantizer_fails_stays_float(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quantizer cannot apply scales of the groups' channels to a bias with one entry for each channel."""
    monkeypatch.setattr(onnxruntime_static, "_grouped_transposed_weights", lambda _: [])
    model = upsampling(tmp_path / "up.onnx", 2, bias=True)
    done = run_step(Quantize(), tiny, model)
    ((name, why),) = done.notes["kept_float"].items()
    assert name == "up" and why.startswith("ONNX Runtime could not quantize the model: operands")
    assert apart(tiny, model, done.path) < 0.05
    stored = {tuple(each.dims): each.data_type for each in load_model(done.path).graph.initializer}
    assert stored[8, 2, 2, 2] == TensorProto.FLOAT and stored[8, 1, 3, 3] == TensorProto.INT8


def pooling(path: Path, **pool: object) -> Path:
    """A pool between convolutions."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], name="conv", pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("AveragePool", ["r"], ["a"], name="pool", **pool),
        helper.make_node("Conv", ["a", "last"], ["l"], name="last", kernel_shape=[5, 5]),
        helper.make_node("Flatten", ["l"], ["logits"], name="flat"),
    ]
    return saved(path, nodes, {"kernel": weights(8, 1, 3, 3), "last": weights(4, 8, 5, 5)}, opset=19)


@pytest.mark.parametrize("target", ["rpi4", "x86-vnni"])
@pytest.mark.parametrize(("operators", "kept"), [("all", set()), ("conv-matmul", {"pool", "relu"})])
def test_what_is_reported_is_what_a_session_computes(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, operators: str, kept: set[str], target: str
) -> None:
    """Where a pool rounds its shape up and counts padding, ONNX Runtime's integer kernel divides by other counts than
    its float one."""
    pool = {"strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1, "count_include_pad": 1}
    model = pooling(tmp_path / "pool.onnx", kernel_shape=[3, 3], **pool)
    done = run_step(Quantize(operators=operators), tiny, model, target)
    noise, written = (done.notes[f"signal_to_noise_{name}"]["logits"] for name in ("db", "as_written_db"))
    assert noise > 25 and noise == pytest.approx(written, abs=0.5)
    assert set(done.notes["kept_float"]) == kept
    x = next(iter(Splits(tiny)[Data.CALIBRATION].batches(limit=8))).inputs
    expected, given = (session_outputs(session(path, exact=True), x)[0] for path in (model, done.path))
    assert signal_to_noise(expected, given) == pytest.approx(noise, abs=0.01)
    run_step(Fuse(), tiny, done.path, target)


def test_an_operator_whose_integer_form_the_runtime_does_not_load_stays_float(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    """An AveragePool with dilations: the integer kernel has no such attribute."""
    model = pooling(tmp_path / "pool.onnx", kernel_shape=[2, 2], dilations=[3, 3])
    done = run_step(Quantize(), tiny, model)
    ((name, why),) = done.notes["kept_float"].items()
    assert name == "relu" and "cannot load" in why and "pool" in why, "the pool itself gets no integers then"
    assert apart(tiny, model, done.path) < 0.05
    stored = {tuple(each.dims): each.data_type for each in load_model(done.path).graph.initializer}
    assert stored[8, 1, 3, 3] == stored[4, 8, 5, 5] == TensorProto.INT8


def test_a_backend_whose_trials_do_not_load_gives_way_to_the_other(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    pytest.importorskip("neural_compressor")
    model = pooling(tmp_path / "pool.onnx", kernel_shape=[2, 2], dilations=[3, 3])
    with pytest.raises(StepError, match="Intel Neural Compressor could not quantize this model"):
        run_step(Quantize(backend="inc", trials=1), tiny, model)
    assert run_step(Quantize(backend="best", trials=1), tiny, model).notes["backend"] == "ort"


def test_an_outlier_among_the_samples_is_named(
    run_step: Callable[..., Outcome], make_project: Callable[..., Path], tmp_path: Path
) -> None:
    """One sample ten thousand times as large leaves nothing of the others in 8 bits."""

    def project(number: int) -> Project:
        folder = make_project(name=f"outlier{number}")
        with (folder / "data.py").open("a") as file:
            file.write("\n\nplain = calibration\n\n\ndef calibration():\n    found = list(plain())\n")
            file.write(f"    found[{number}] = (found[{number}][0] * 10_000, found[{number}][1])\n    return found\n")
        return load_project(folder)

    model = upsampling(tmp_path / "up.onnx", 1, bias=True)
    outlier = r"calibration sample {} has values [\d,]+ times as large as the median sample"
    with pytest.raises(StepError, match="no operator can be quantized: .*; " + outlier.format(20)):
        run_step(Quantize(), project(20), model)
    (text,) = run_step(Quantize(), project(3), model).notes["outliers"]
    assert re.match(outlier.format(3), text), "among the samples that are compared, it hides the loss of the others"


def test_what_integers_do_not_explain_is_refused(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quantizer that changes a weight whatever it is told to leave alone."""
    real = onnxruntime_static.quantize_static

    def faulty(source: Path, path: Path, *arguments: object) -> None:
        model = onnx.load(source)
        wrong = next(each for each in model.graph.initializer if each.name == "w")
        wrong.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(wrong), wrong.name))
        onnx.save(model, source.with_name("faulty.onnx"))
        real(source.with_name("faulty.onnx"), path, *arguments)

    monkeypatch.setattr(onnxruntime_static, "quantize_static", faulty)
    model = saved(tmp_path / "deep.onnx", *deep())
    with pytest.raises(StepError, match=r"gives wrong values at '.*': Gemm: .* dB") as raised:
        run_step(Quantize(), tiny, model)
    assert "report" in raised.value.hint


def test_floats_that_help_nothing_are_taken_back(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    """What two channels nearly share is gone from their integers, whatever takes their difference."""
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "head"], ["logits"], name="head"),
    ]
    kernels, head = weights(8, 1, 3, 3), weights(8, 4)
    kernels[1] = kernels[0] * 1.0001
    head[:, 0] = [1, -1, 0, 0, 0, 0, 0, 0]
    model = saved(tmp_path / "m.onnx", nodes, {"w": kernels, "head": head})
    done = run_step(Quantize(), tiny, model)
    assert done.notes["lost_parts"] == {"logits": "1 of 4 along axis 1"}
    assert done.notes["kept_float"] == {}
    assert not [node for node in onnx.load(done.path).graph.node if "head" in node.input]
    assert [each.name for each in done.path.parent.glob("*.onnx")] == ["model.onnx"]


def deep() -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Four layers, the first by the weights w."""
    names = ["w", "w1", "w2", "w3"]
    nodes, last = [helper.make_node("Flatten", ["image"], ["x"])], "x"
    for number, name in enumerate(names):
        output = "logits" if name == "w3" else f"r{number}"
        nodes.append(helper.make_node("Gemm", [last, name], [f"g{number}" if output != "logits" else output]))
        if output != "logits":
            nodes.append(helper.make_node("Relu", [f"g{number}"], [output]))
        last = output
    sizes = [(64, 64), (64, 64), (64, 64), (64, 4)]
    return nodes, {name: weights(*size) for name, size in zip(names, sizes, strict=True)}


def test_a_scale_that_no_kernel_can_use_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"])]
    constants = {"s": np.array(np.inf, np.float32), "z": np.array(0, np.int8)}
    model = onnx.load(saved(tmp_path / "m.onnx", nodes, constants))
    with pytest.raises(StepError, match="'image' has the scale inf") as raised:
        _check_scales(model)
    assert "-30" in raised.value.hint


def old(opset: int, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A convolution and a matrix of an older opset, or of another precision."""
    random = np.random.default_rng(0)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = {"w": (8, 1, 3, 3), "g": (8, 4)}
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=kind),
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "g"], ["y"]),
    ]
    ports = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8]),
        helper.make_tensor_value_info("y", kind, ["batch", 4]),
    ]
    constants = [
        numpy_helper.from_array((0.3 * random.standard_normal(shape)).astype(dtype), name)
        for name, shape in weights.items()
    ]
    graph = helper.make_graph(nodes, "old", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)


@pytest.mark.parametrize(
    ("opset", "kind"), [(7, TensorProto.FLOAT), (11, TensorProto.FLOAT), (17, TensorProto.FLOAT16)]
)
def test_old_opsets_and_half_precision_become_integers_too(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, opset: int, kind: int
) -> None:
    onnx.save(old(opset, kind), tmp_path / "old.onnx")
    done = run_step(Quantize(), tiny, tmp_path / "old.onnx")
    assert done.notes["signal_to_noise_db"]["y"] > 25
    assert inspect_model(done.path).weight_types.keys() == {"int8"}
    assert [each.name for each in onnx.load(done.path).graph.output] == ["y"]


def small(path: Path) -> Path:
    """A convolution and a product whose second output is a thousandth of the first: what one range drowns."""
    random = np.random.default_rng(0)
    constants = {
        "kernel": random.standard_normal((4, 1, 3, 3)).astype(np.float32),
        "weight": random.standard_normal((4, 4)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "weight"], ["logits"], name="head"),
    ]
    return saved(path, nodes, constants)


@pytest.mark.parametrize("target", ["rpi4", "x86-avx2"])
def test_neural_compressor_takes_the_same_scheme(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, target: str
) -> None:
    pytest.importorskip("neural_compressor")
    done = run_step(Quantize(backend="inc"), tiny, small(tmp_path / "small.onnx"), target)
    model = load_model(done.path)
    assert activation_types(model) == {"int8" if target == "rpi4" else "uint8"}
    assert {Trait.INTEGER, Trait.PORTABLE} <= observed_facts(model)
    weights = [numpy_helper.to_array(each) for each in model.graph.initializer if each.data_type == 3]
    largest = max(int(np.abs(each.astype(int)).max()) for each in weights if each.ndim > 1)
    assert largest <= (127 if target == "rpi4" else 64)
    assert done.notes["backend"] == "inc" and len(done.notes["trials"]) >= 1
    assert not list(done.path.parent.glob("trial*"))
    run_step(Fuse(), tiny, done.path, target)


def test_the_better_of_both_is_kept(run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path) -> None:
    pytest.importorskip("neural_compressor")
    model = small(tmp_path / "small.onnx")
    done = run_step(Quantize(backend="best"), tiny, model)
    values = done.notes["values"]
    assert values.keys() == {"ort", "inc"} and not done.notes["failed"]
    assert values[done.notes["backend"]] == max(values.values())
    alone = run_step(Quantize(backend=done.notes["backend"]), tiny, model)
    assert alone.path.read_bytes() == done.path.read_bytes()
    assert [each.name for each in done.path.parent.glob("*.onnx")] == ["model.onnx"]


def test_where_one_fails_the_other_is_taken(
    run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "neural_compressor", None)
    done = run_step(Quantize(backend="best"), tiny, small(tmp_path / "small.onnx"))
    assert done.notes["backend"] == "ort" and "cannot be imported" in done.notes["failed"]["inc"]
    with pytest.raises(StepError, match="cannot be imported"):
        run_step(Quantize(backend="inc"), tiny, small(tmp_path / "small.onnx"))


def test_products_alone_by_neural_compressor(run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path) -> None:
    pytest.importorskip("neural_compressor")
    done = run_step(Quantize(backend="inc", operators="conv-matmul"), tiny, small(tmp_path / "small.onnx"))
    (pool,) = (node for node in load_model(done.path).graph.node if node.op_type == "GlobalAveragePool")
    assert "pool" in done.notes["kept_float"]
    rounded = [node.input[0] for node in load_model(done.path).graph.node if node.op_type == "QuantizeLinear"]
    assert pool.output[0] not in rounded or "f" not in rounded


def test_what_a_search_goes_by_is_read() -> None:
    assert "metric" not in Quantize().reads().settings
    read = Quantize(backend="best").reads()
    assert "metric" in read.settings and "neural-compressor" in read.packages
