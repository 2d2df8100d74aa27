"""Networks of kinds that compression got wrong, built for x86-vnni: what they reach, multiply and leave in float."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.build import build
from edgekit.builds.result import TargetBuild
from edgekit.data.split import Split
from edgekit.gates.gates import Status
from edgekit.model.inspection import Inspection, inspect_model
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runtimes.ort import session
from edgekit.target_files import find_target
from edgekit.traits import Data, Role
from tests.networks import model, scores

NETWORKS = Path(__file__).parent / "networks"
END = [{"use": "export"}, {"use": "simplify"}, {"use": "quantize"}, {"use": "fuse"}]
SCORED = {"steps", "shadows"}
"""Data with a loss and a metric of its own."""
MakeBuild = Callable[..., TargetBuild]


@pytest.fixture
def built_network(tmp_path: Path) -> MakeBuild:
    """A network trained, pruned where asked, and built."""

    def make(
        name: str,
        data: str,
        train: dict[str, object],
        prune: dict[str, object] | None = None,
        target: str = "x86-vnni",
    ) -> TargetBuild:
        folder = tmp_path / name
        shutil.copytree(NETWORKS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / "edgekit.toml").read_text().replace("NETWORK", name).replace("DATA", data)
        steps = [{"use": "train", **train}, *([{"use": "prune", **prune}] if prune else []), *END]
        for step in steps:
            text += "\n[[steps]]\n" + "".join(f"{key} = {value!r}\n" for key, value in step.items())
        if data in SCORED:
            text = f'loss = "scores:{data}_loss"\nmetric = "scores:{data}_metric"\n' + text
        (folder / "edgekit.toml").write_text(text)
        (done,) = build(load_project(folder), [find_target(target)], Silent()).targets
        return done

    return make


def deployed(done: TargetBuild) -> Inspection:
    """The model in the bundle; and that no gate failed on the way there, with a metric that means something, and that
    ONNX Runtime gives by itself."""
    assert by_hand(done) == pytest.approx(done.value)
    gates = {gate.name: gate for gate in done.verdict.gates}
    assert not [gate for gate in gates.values() if gate.status is Status.FAILED]
    assert gates["drop"].status is Status.PASSED, gates["drop"].detail
    return inspect_model(done.bundle / "model.onnx")


def by_hand(done: TargetBuild) -> float:
    """The deployed model's metric, sample by sample."""
    project = load_project(done.bundle.parent.parent)
    running = session(done.bundle / "model.onnx", exact=not done.target.saturates)
    (inputs, targets), outputs = Split(project, Data.EVALUATION).alike()[:2], []
    for number in range(len(inputs[0])):
        feed = {port.name: each[number : number + 1] for port, each in zip(running.get_inputs(), inputs, strict=True)}
        outputs.append(running.run(None, feed)[0])
    if project.metric == "accuracy":
        return 100.0 * float((np.concatenate(outputs).argmax(1) == targets).mean())
    along = 1 if project.metric == "scores:steps_metric" else 0
    name = project.metric.partition(":")[2]
    return float(getattr(scores, name)(np.concatenate(outputs, along), targets))


def layer_macs(length: int, heads: int = model.WIDTH, hidden: int = model.HIDDEN) -> int:
    """Of one encoder layer: projections to and from the width of all heads, attention, the feed-forward layers."""
    return 4 * length * model.WIDTH * heads + 2 * length**2 * heads + 2 * length * model.WIDTH * hidden


def notes(done: TargetBuild, step: str) -> dict[str, object]:
    (run,) = [run for run in done.steps if (run.name, run.role) == (step, Role.STUDENT)]
    return run.artifact.notes


MASKED = {"Add": 2, "Gelu": 2, "LayerNormalization": 4, "Softmax": 2, "Sub": 1}
"""What stays float of masked attention: the mask and what it is added to."""
FLOATS = {"Add", "Gelu", "HardSigmoid", "LayerNormalization", "Mul", "Softmax", "Sub"}


def floats(found: Inspection) -> dict[str, int]:
    """The operators on floats of the networks here, and how many there are."""
    return {kind: count for kind, count in found.operators.items() if kind in FLOATS}


@pytest.mark.slow
def test_masked_attention(built_network: MakeBuild) -> None:
    done = built_network("masked_bert", "sentences", {"epochs": 12, "learning_rate": 0.002})
    found = deployed(done)
    assert done.value > 97 and done.value > done.float_value - 1
    assert found.macs == notes(done, "export")["macs"] == model.LAYERS * layer_macs(model.LENGTH) + 2 * model.WIDTH
    assert floats(found) == MASKED
    assert found.float_operators == 11, "no islands"
    assert all("values left" in why for why in notes(done, "quantize")["kept_float"].values()), "but the mask's own"


@pytest.mark.slow
def test_tied_matrices(built_network: MakeBuild) -> None:
    train, prune = {"epochs": 40, "learning_rate": 0.005}, {"ratio": 0.25, "epochs": 10, "learning_rate": 0.001}
    done = built_network("tied", "progressions", train, prune)
    found = deployed(done)
    assert done.value > 95 and done.value > done.float_value - 1
    pruned = notes(done, "prune")
    assert found.macs == pruned["macs"] < 0.8 * pruned["macs_before"]
    assert found.parameters == pruned["parameters"], "the table that is looked up and multiplied by is stored once"
    assert found.float_operators == 0


@pytest.mark.slow
def test_convolutions_in_groups(built_network: MakeBuild) -> None:
    train, prune = {"epochs": 8, "learning_rate": 0.005}, {"ratio": 0.5, "epochs": 12, "learning_rate": 0.005}
    done = built_network("grouped", "digits", train, prune)
    found = deployed(done)
    assert done.value > 90 and done.value > done.float_value - 1.5
    pruned = notes(done, "prune")
    assert found.macs == pruned["macs"] < 0.4 * pruned["macs_before"] and not pruned["kept_whole"]
    assert found.float_operators == 0


@pytest.mark.slow
def test_batch_norms_that_lag(built_network: MakeBuild) -> None:
    done = built_network("mobilenet_v3", "digits", {"epochs": 6, "learning_rate": 0.005})
    found = deployed(done)
    assert notes(done, "train")["batch_norm"] == "re-estimated"
    assert done.value > 85 and done.value > done.float_value - 1.5

    def squeezed(before: int, wide: int, after: int, given: int, left: int) -> int:
        return given * before * wide + left * wide * 9 + 2 * wide * 8 + left * wide * after

    body = squeezed(16, 32, 16, 256, 256) + squeezed(16, 48, 24, 256, 64) + squeezed(24, 64, 24, 64, 64)
    assert found.macs == notes(done, "export")["macs"] == 256 * 16 * 9 + body + 24 * 64 + 64 * 10
    assert floats(found) == {} and found.float_operators == 0, "HardSigmoid and what it multiplies are on integers"


@pytest.mark.slow
def test_a_causal_decoder(built_network: MakeBuild) -> None:
    done = built_network("decoder", "steps", {"epochs": 20, "learning_rate": 0.003})
    found = deployed(done)
    assert done.value > 97 and done.value > done.float_value - 1
    assert found.macs == model.LAYERS * layer_macs(model.SEEN) + model.SEEN * model.WIDTH * model.NUMBERS
    assert floats(found) == {"Add": 2, "LayerNormalization": 4, "Softmax": 2}, "the mask is added on floats"
    assert [port.shape for port in found.outputs] == [(model.SEEN, "batch", model.NUMBERS)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "gates", "target"), [("lstm", 4, "rpi4"), ("gru", 3, "x86-vnni")])
def test_recurrent_networks(built_network: MakeBuild, name: str, gates: int, target: str) -> None:
    done = built_network(name, "digits", {"epochs": 14, "learning_rate": 0.005}, target=target)
    found = deployed(done)
    assert done.value > 70 and done.value > done.float_value - 1.5
    rows, hidden = 32, 24
    layers = [2 * rows * gates * hidden * (width + hidden) for width in (32, 2 * hidden)]
    assert found.macs == sum(layers) + 2 * hidden * 32 + 32 * 10
    assert found.operators[name.upper()] == 2 and found.operators["QGemm"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("target", ["x86-vnni", "rpi4"])
def test_a_vision_transformer(built_network: MakeBuild, target: str) -> None:
    done = built_network("vit", "digits", {"epochs": 15, "learning_rate": 0.002}, target=target)
    found = deployed(done)
    assert done.value > 75 and done.value > done.float_value - 1.5
    assert found.macs == (16 * 64 + 10) * model.WIDTH + model.LAYERS * layer_macs(17)
    assert floats(found) == {"Gelu": 2, "LayerNormalization": 5}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["x86-vnni", "rpi4"])
def test_a_unet(built_network: MakeBuild, target: str) -> None:
    done = built_network("unet", "shadows", {"epochs": 4, "learning_rate": 0.005}, target=target)
    found = deployed(done)
    assert done.value > 85 and done.value > done.float_value - 1
    whole, half, quarter = 32 * 32, 16 * 16, 8 * 8
    down = 9 * (whole * 1 * 8 + half * 8 * 16 + quarter * 16 * 32)
    up = quarter * 32 * 16 * 4 + 9 * (half * 32 * 16 + whole * 24 * 8) + whole * 8
    assert found.macs == down + up
    assert found.operators["QLinearConv"] == 6 and found.float_kinds == {"ConvTranspose": 1, "Resize": 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "train"),
    [
        ("vit", "digits", {"epochs": 15, "learning_rate": 0.002}),
        ("masked_bert", "sentences", {"epochs": 12, "learning_rate": 0.002}),
    ],
)
def test_a_transformer_loses_half_of_its_heads(
    built_network: MakeBuild, name: str, data: str, train: dict[str, object]
) -> None:
    done = built_network(name, data, train, {"ratio": 0.5, "epochs": 8, "learning_rate": 0.002})
    found = deployed(done)
    pruned = notes(done, "prune")
    assert (
        list(pruned["heads"].values()) == [[model.HEADS, model.HEADS // 2]] * model.LAYERS and not pruned["kept_whole"]
    )
    length, inputs, outputs = (17, 16 * 64, 10) if name == "vit" else (model.LENGTH, 0, 2)
    layers = model.LAYERS * layer_macs(length, model.WIDTH // 2, model.HIDDEN // 2)
    assert found.macs == pruned["macs"] == (inputs + outputs) * model.WIDTH + layers
    assert found.macs < 0.55 * pruned["macs_before"] and pruned["parameters"] < 0.65 * pruned["parameters_before"]
    uncut = {"Gelu": 2, "LayerNormalization": 5} if name == "vit" else MASKED
    assert floats(found) == uncut and found.float_operators == sum(uncut.values())
    assert done.value > done.reference_value - 5
