"""Builds that start from an ONNX file and samples."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgekit.builds.build import build
from edgekit.builds.result import Build
from edgekit.contract.step import Outcome
from edgekit.data.splits import Splits
from edgekit.errors import PlanError, StepError, StorageError
from edgekit.gates.gates import Status
from edgekit.model.operators import operator_counts
from edgekit.model.reading import load_model
from edgekit.planning.recipe import recipe_of
from edgekit.progress import Silent
from edgekit.project.from_file import file_project
from edgekit.project.project import load_project
from edgekit.steps.simplify import Simplify
from edgekit.survey.kept import survey_model
from edgekit.target_files import find_target
from edgekit.traits import Role

Run = Callable[..., subprocess.CompletedProcess[str]]


def built(model: Path, samples: Path, **told: object) -> Build:
    project = file_project(model, str(samples), **told)  # type: ignore[arg-type]
    return build(project, [find_target("rpi4")], Silent())


def test_the_whole_road(conv_model: Path, images: Path) -> None:
    found = built(conv_model, images, metric="cosine")
    (target,) = found.targets
    assert [run.name for run in target.steps] == ["simplify", "quantize", "mixed-precision", "fuse"]
    assert target.reference_value == 1.0 and 0.99 < target.value < 1
    assert found.data is not None and (found.data.calibration_samples, found.data.evaluation_samples) == (32, 8)
    manifest = json.loads((target.bundle / "manifest.json").read_text())
    assert manifest["preprocessing"] == {"resize": [6, 6], "color": "RGB", "layout": "NCHW", "pixels": "0-1"}
    assert manifest["metric"]["name"] == "cosine"
    # The golden pair is of the raw image that lies beside it.
    with Image.open(target.bundle / manifest["golden"]["raw"]) as image:
        pixels = np.asarray(image.resize((6, 6), Image.Resampling.BILINEAR), np.float32).transpose(2, 0, 1) / 255
    golden = np.fromfile(target.bundle / manifest["golden"]["inputs"][0]["file"], np.float32)
    assert np.array_equal(golden.reshape(3, 6, 6), pixels)


def test_the_metadata_goes_along(conv_model: Path, images: Path) -> None:
    model = onnx.load(conv_model)
    model.metadata_props.add(key="characters", value="abc")
    onnx.save(model, conv_model)
    (target,) = built(conv_model, images, metric="cosine").targets
    deployed = onnx.load(target.bundle / "model.onnx")
    assert [(each.key, each.value) for each in deployed.metadata_props] == [("characters", "abc")]
    assert deployed.graph.input == model.graph.input


def test_with_labels_it_is_judged_by_them(conv_model: Path, images: Path) -> None:
    (target,) = built(conv_model, images).targets
    values = {one.name: one for one in target.verdict.measurements if one.model == "deployed"}
    assert values["metric"].unit == "%" and {"cosine", "agreement"} <= set(values)
    drop = next(gate for gate in target.verdict.gates if gate.name == "drop")
    # Random weights know nothing: what such a model keeps proves nothing.
    assert drop.status in (Status.NOT_RUN, Status.FAILED)


def test_the_second_build_and_the_written_project_come_from_the_cache(
    conv_model: Path, images: Path, run_edgekit: Run, tmp_path: Path
) -> None:
    flags = ["build", conv_model, "-t", "rpi4", "--calibration", images, "--metric", "cosine", "--resize", "6"]
    first = run_edgekit(*flags)
    assert first.returncode == 0, first.stderr
    assert "calibrated on 32 samples of samples (at most 512 were asked for), judged on 8 held out" in " ".join(
        first.stdout.split()
    )
    assert (tmp_path / "dist" / "rpi4" / "model.onnx").is_file()
    assert max(len(line) for line in first.stdout.splitlines()) <= 80
    second = run_edgekit(*flags)
    assert "every step came from the cache" in second.stdout
    written = run_edgekit(*flags, "--write-project", tmp_path)
    assert "every step came from the cache" in written.stdout
    again = run_edgekit("build", "-C", tmp_path)
    assert "every step came from the cache" in again.stdout
    planned = run_edgekit("plan", "-C", tmp_path)
    assert planned.returncode == 0 and "recipe int8" in planned.stdout


def test_float_operators_of_a_manifest_are_reused(
    conv_model: Path, images: Path, run_edgekit: Run, tmp_path: Path
) -> None:
    flags = ["build", conv_model, "-t", "rpi4", "--calibration", images, "--metric", "cosine", "--resize", "6", "-q"]
    assert run_edgekit(*flags).returncode == 0
    bundle = tmp_path / "dist" / "rpi4"
    manifest = json.loads((bundle / "manifest.json").read_text())
    (chosen,) = (each for each in manifest["lineage"] if each["step"] == "mixed-precision")
    assert chosen["notes"]["floats"] == [] and chosen["notes"]["placed"].startswith("by rule")
    (convolution,) = (
        node.name for node in onnx.load(_step_file(conv_model, images)).graph.node if node.op_type == "Conv"
    )
    chosen["notes"]["floats"] = [convolution]
    (tmp_path / "measured.json").write_text(json.dumps(manifest))
    again = run_edgekit(*flags, "--float-operators", tmp_path / "measured.json")
    assert again.returncode == 0, again.stderr
    assert f"1 operator put back to float, such as {convolution}: as it was given" in " ".join(again.stdout.split())
    assert operator_counts(load_model(bundle / "model.onnx"))["QLinearConv"] == 0
    replayed = json.loads((bundle / "manifest.json").read_text())
    (chosen,) = (each for each in replayed["lineage"] if each["step"] == "mixed-precision")
    assert chosen["notes"]["floats"] == [convolution]
    # The manifest of the second build can be used in the same way.
    first = (bundle / "model.onnx").read_bytes()
    assert run_edgekit(*flags, "--float-operators", bundle / "manifest.json").returncode == 0
    assert (bundle / "model.onnx").read_bytes() == first


def _step_file(model: Path, images: Path) -> Path:
    """What quantize makes in a build."""
    project = file_project(model, str(images), metric="cosine", preprocessing={"resize": 6})
    runs = build(project, [find_target("rpi4")], Silent()).targets[0].steps
    return next(run.artifact.path for run in runs if run.name == "quantize")


def test_float_operators_of_another_build_are_rejected(
    conv_model: Path, images: Path, run_edgekit: Run, tmp_path: Path
) -> None:
    flags = ["build", conv_model, "--calibration", images, "--metric", "cosine", "--resize", "6", "-q"]
    assert run_edgekit(*flags, "-t", "rpi4").returncode == 0
    manifest = tmp_path / "dist" / "rpi4" / "manifest.json"
    for given, targets, entry in (
        (manifest, ["-t", "x86-avx2"], "belongs to a build for rpi4 alone"),
        (manifest, ["-t", "rpi4", "-t", "x86-avx2"], "belongs to a build for rpi4 alone"),
        (tmp_path / "none.json", ["-t", "rpi4"], "cannot be read"),
        (conv_model, ["-t", "rpi4"], "is not JSON"),
        (manifest, ["-t", "rpi4", "--recipe", "float"], "mixed-precision"),
    ):
        done = run_edgekit(*flags, *targets, "--float-operators", given)
        assert done.returncode == 2 and entry in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr


def test_float_operators_that_do_not_fit_are_the_users_error_and_no_float_model(
    conv_model: Path, images: Path, run_edgekit: Run, tmp_path: Path
) -> None:
    flags = ["build", conv_model, "-t", "rpi4", "--calibration", images, "--metric", "cosine", "--resize", "6", "-q"]
    given = {"target": {"id": "rpi4"}, "lineage": [{"step": "mixed-precision", "notes": {"floats": ["absent"]}}]}
    (tmp_path / "given.json").write_text(json.dumps(given))
    done = run_edgekit(*flags, "--float-operators", tmp_path / "given.json")
    assert done.returncode == 2 and "no operator 'absent' is between conversions" in done.stderr, done.stderr
    assert not (tmp_path / "dist").exists()


def test_the_bundle_of_another_model_is_not_replaced(conv_model: Path, images: Path, tmp_path: Path) -> None:
    beside = conv_model.with_name("other.onnx")
    beside.write_bytes(conv_model.read_bytes())
    bundle = built(conv_model, images, folder=tmp_path).targets[0].bundle
    text = (bundle / "manifest.json").read_text()
    with pytest.raises(StorageError, match=f"holds the bundle of {conv_model.stem}") as found:
        built(beside, images, folder=tmp_path)
    assert "-C DIR" in found.value.hint and (bundle / "manifest.json").read_text() == text
    assert built(conv_model, images, folder=tmp_path).targets[0].bundle == bundle, "its own is"
    (bundle / "manifest.json").write_text("torn")
    with pytest.raises(StorageError, match="something else than a bundle of edgekit's"):
        built(conv_model, images, folder=tmp_path)


def test_options_for_a_file_want_one(run_edgekit: Run, conv_model: Path, tmp_path: Path) -> None:
    alone = run_edgekit("build", "--calibration", "samples", cwd=tmp_path)
    assert alone.returncode == 2 and "--calibration is for a model file" in alone.stderr
    bare = run_edgekit("build", conv_model, "-t", "rpi4")
    assert bare.returncode == 2 and "--calibration FOLDER" in bare.stderr
    wrong = run_edgekit("build", conv_model, "-t", "rpi4", "--calibration", "s", "--resize", "wide")
    assert wrong.returncode == 2 and "256 or 224x320" in wrong.stderr


def test_an_order_for_modules_is_refused(conv_model: Path, images: Path) -> None:
    with pytest.raises(PlanError, match="step 1 train takes a PyTorch module, but the project starts from an ONNX"):
        built(conv_model, images, recipe="weight-only-int4")


def test_weights_beside_the_file_are_taken_in(conv_model: Path, images: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.onnx"
    onnx.save(onnx.load(conv_model), split, save_as_external_data=True, location="split.data", size_threshold=0)
    found = built(split, images, metric="cosine")
    assert found.targets[0].reference_bytes > (tmp_path / "split.data").stat().st_size


def test_a_file_is_surveyed(conv_model: Path, images: Path) -> None:
    project = file_project(conv_model, str(images))
    found = survey_model(project, Splits(project), Role.STUDENT)
    assert (found.architecture, found.batch_norms) == ("cnn", True)


def test_a_project_of_a_file_is_checked(conv_model: Path, tmp_path: Path) -> None:
    assert conv_model.is_file()
    for text, fault in [
        ('name = "a"\n[model]\nonnx = "conv.onnx"\n[data]\n', "'data.calibration' is missing"),
        ('name = "a"\n[model]\nonnx = "no.onnx"\n[data]\ncalibration = "s"\n', "'no.onnx' does not exist"),
        ('name = "a"\n[model]\nonnx = "conv.onnx"\nstudent = "m:f"\n[data]\ncalibration = "s"\n', "model.student"),
        ('name = "a"\n[model]\nstudent = "m:f"\n[data]\ntrain = "d:f"\nevaluation = "samples"\n', "only an ONNX model"),
        ('name = "a"\n[model]\n[data]\ntrain = "d:f"\nevaluation = "d:f"\n', "'model.student' is missing"),
    ]:
        (tmp_path / "edgekit.toml").write_text(text)
        with pytest.raises(Exception, match=fault):
            load_project(tmp_path)


def test_the_recipe_of_a_file(conv_model: Path) -> None:
    assert recipe_of(file_project(conv_model, "samples")).name == "int8"


def test_no_torch_is_imported(conv_model: Path, images: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.argv = ['edgekit', 'build', {str(conv_model)!r}, '-t', 'rpi4', '--calibration', {str(images)!r}, '-q']\n"
        "from edgekit.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1) and "bundle" in done.stdout, done.stderr


def test_samples_may_be_of_different_shapes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, f"{name}_height", f"{name}_width"])
        for name in "xy"
    )
    weights = numpy_helper.from_array(random.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [weights])
    model = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), model)
    samples = tmp_path / "samples"
    samples.mkdir()
    for number in range(30):
        shape = (3, int(random.integers(8, 12)), 8)
        np.save(samples / f"{number}.npy", random.normal(size=shape).astype(np.float32))
    (target,) = built(model, samples).targets
    gates = {gate.name: gate for gate in target.verdict.gates}
    assert gates["drop"].status is Status.PASSED and 0.99 < target.value < 1
    assert gates["parity"].detail.split()[0] in "123456", "those of the first one's shape"


def test_a_transformer_takes_the_ranges_of_each_run(attending: Path, tmp_path: Path, run_edgekit: Run) -> None:
    samples = tmp_path / "samples.npy"
    np.save(samples, np.random.default_rng(0).standard_normal((40, 1, 8, 8)).astype(np.float32))
    done = run_edgekit("build", attending, "-t", "rpi4", "--calibration", samples, "--metric", "cosine")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "each run computes its own" in text and "smoothed by alpha" in text
    manifest = json.loads((attending.parent / "dist" / "rpi4" / "manifest.json").read_text())
    assert manifest["recipe"] == "int8-dynamic" and manifest["metric"]["value"] > 0.99


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_what_came_in_integers_is_left_verified_and_packed(
    form: str, conv_model: Path, images: Path, tmp_path: Path, run_edgekit: Run
) -> None:
    from onnxruntime import quantization

    path = tmp_path / "quantized.onnx"
    if form == "dynamic":
        quantization.quantize_dynamic(conv_model, path, weight_type=quantization.QuantType.QUInt8)
    else:
        x = np.random.default_rng(0).random((8, 3, 6, 6), np.float32)
        reader = iter([{onnx.load(conv_model).graph.input[0].name: x}])
        reader_type = type("Reader", (quantization.CalibrationDataReader,), {"get_next": lambda _: next(reader, None)})
        quantization.quantize_static(conv_model, path, reader_type(), quant_format=quantization.QuantFormat[form])
    done = run_edgekit("build", path, "-t", "rpi4", "--calibration", images, "--metric", "cosine")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert f"already quantized ({form}" in text and "): unchanged" in text
    assert "drop" not in text, "nothing was taken away"
    bundle = path.parent / "dist" / "rpi4"
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert (manifest["recipe"], manifest["metric"]["value"]) == ("as-given", pytest.approx(1.0, abs=1e-4))
    assert onnx.load(bundle / "model.onnx").graph.node == onnx.load(path).graph.node
    refused = run_edgekit("build", path, "-t", "rpi4", "--calibration", images, "--recipe", "int8")
    assert refused.returncode == 2
    assert "the file is quantized already" in refused.stderr and "as-given" in refused.stderr


def test_where_integers_lose_too_much_floats_are_deployed(conv_model: Path, images: Path) -> None:
    project = file_project(conv_model, str(images), metric="cosine")
    strict = project.copy_with(budgets=project.budgets.copy_with(max_drop=0.0))
    (target,) = build(strict, [find_target("rpi4")], Silent()).targets
    assert target.recipe == "float" and target.value == pytest.approx(1.0)
    assert [each.recipe for each in target.rejected_recipes] == ["int8", "int8-conv-matmul"]
    assert all("lost, allowed 0" in each.why for each in target.rejected_recipes)
    manifest = json.loads((target.bundle / "manifest.json").read_text())
    assert [each["recipe"] for each in manifest["rejected_recipes"]] == ["int8", "int8-conv-matmul"]
    assert manifest["passed_over"] == manifest["rejected_recipes"], "schema 1 keeps the former key"
    named = strict.copy_with(recipe="int8")
    (target,) = build(named, [find_target("rpi4")], Silent()).targets
    assert target.recipe == "int8" and not target.verdict.passed, "what is asked for by name stays"


def test_what_lies_inside_control_flow_stays_float_and_says_so(images: Path, tmp_path: Path, run_edgekit: Run) -> None:
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])
    branches = [
        helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"])], name, [], [y], [numpy_helper.from_array(weights * sign, "w")]
        )
        for name, sign in (("then", 1), ("else", -1))
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "half"], ["bright"]),
        helper.make_node("If", ["bright"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    graph = helper.make_graph(nodes, "g", [x], [y], [half])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "model.onnx"
    )
    done = run_edgekit("build", tmp_path / "model.onnx", "-t", "rpi4", "--calibration", images)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "recipe float instead of int8: no operator can be quantized: the network is inside If" in text


def test_what_fails_in_a_step_of_all_recipes_is_raised_once(
    conv_model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def failing(self: Simplify, *_: object) -> Outcome:
        runs.append(self)
        raise StepError("it is broken", "mend it")

    monkeypatch.setattr(Simplify, "run", failing)
    with pytest.raises(StepError, match="it is broken"):
        built(conv_model, images)
    assert len(runs) == 1
