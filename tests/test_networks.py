"""Networks of kinds that compression got wrong, built for x86-vnni: what they reach, multiply and leave in float."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.build import TargetBuild, build
from edgekit.model.counting import Inspection, inspected
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.target import find_target
from edgekit.traits import Role
from edgekit.verdict.gates import Status
from tests.networks import model

NETWORKS = Path(__file__).parent / "networks"
END = [{"use": "export"}, {"use": "simplify"}, {"use": "quantize"}, {"use": "fuse"}]
MakeBuild = Callable[..., TargetBuild]


@pytest.fixture
def built_network(tmp_path: Path) -> MakeBuild:
    """A network trained, pruned where asked, and built."""

    def make(name: str, data: str, train: dict[str, object], prune: dict[str, object] | None = None) -> TargetBuild:
        folder = tmp_path / name
        shutil.copytree(NETWORKS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / "edgekit.toml").read_text().replace("NETWORK", name).replace("DATA", data)
        steps = [{"use": "train", **train}, *([{"use": "prune", **prune}] if prune else []), *END]
        for step in steps:
            text += "\n[[steps]]\n" + "".join(f"{key} = {value!r}\n" for key, value in step.items())
        (folder / "edgekit.toml").write_text(text)
        (done,) = build(load_project(folder), [find_target("x86-vnni")], Silent()).targets
        return done

    return make


def deployed(done: TargetBuild) -> Inspection:
    """The model in the bundle; and that no gate failed on the way there, with a metric that means something."""
    gates = {gate.name: gate for gate in done.verdict.gates}
    assert not [gate for gate in gates.values() if gate.status is Status.FAILED]
    assert gates["drop"].status is Status.PASSED, gates["drop"].detail
    return inspected(done.bundle / "model.onnx")


def notes(done: TargetBuild, step: str) -> dict[str, object]:
    (run,) = [run for run in done.steps if (run.name, run.role) == (step, Role.STUDENT)]
    return run.artifact.notes


FLOATS = {"Add", "Gelu", "HardSigmoid", "LayerNormalization", "Mul", "Softmax", "Sub"}


def floats(found: Inspection) -> dict[str, int]:
    """The operators on floats of the networks here, and how many there are."""
    return {kind: count for kind, count in found.operators.items() if kind in FLOATS}


@pytest.mark.slow
def test_masked_attention(built_network: MakeBuild) -> None:
    done = built_network("masked_bert", "sentences", {"epochs": 12, "learning_rate": 0.002})
    found = deployed(done)
    assert done.value > 97 and done.value > done.float_value - 1
    length, width, hidden = model.LENGTH, model.WIDTH, model.HIDDEN
    layer = 4 * length * width**2 + 2 * length**2 * width + 2 * length * width * hidden
    assert found.macs == notes(done, "export")["macs"] == model.LAYERS * layer + 2 * width
    assert floats(found) == {"Add": 2, "Gelu": 2, "LayerNormalization": 4, "Softmax": 2, "Sub": 1}
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
    assert floats(found) == {"HardSigmoid": 11, "Mul": 8}, "the runtime has no integer kernel for them"
    assert found.float_operators == 19
