"""The road from end to end on a tiny project, its cache and its faults."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.builds.build import build, chosen_targets
from edgekit.builds.result import Build
from edgekit.cache import Cache
from edgekit.call_options import BuildOptions
from edgekit.errors import BoardError, DataError, EntryPointError, ModelError, PlanError, StepError, TargetError
from edgekit.files import sha256_of_file
from edgekit.gates.gates import Status
from edgekit.host import this_host
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.target_files import find_target
from edgekit.traits import Fidelity, Format, Role, Trait
from tests.instruction_counts.compiler import needs_compiler
from tests.latency.test_board_fit import known
from tests.modes import heed_modes, read_only
from tests.sshd import Sshd

RPI4 = find_target("rpi4")
QUICK = find_target("x86-vnni")
"""Where only the cache matters: no emulator is started for it."""
MakeProject = Callable[..., Path]

SHORT = """
[[steps]]
use = "train"
epochs = 1

[[steps]]
use = "export"

[[steps]]
use = "simplify"
"""


def shortened(folder: Path, steps: str = SHORT) -> Path:
    """The project with a recipe of three quick steps."""
    text = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")] + steps)
    return folder


class Pruning(Silent):
    """Prunes the cache of a build whenever it reports progress."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder)
        self.freed = 0

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        self.freed += self.cache.prune().bytes

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        self.freed += self.cache.prune().bytes

    def note(self, text: str) -> None:
        self.freed += self.cache.prune().bytes


def test_pruning_beside_a_build_takes_nothing_that_it_uses(make_project: MakeProject) -> None:
    folder = shortened(make_project())
    first = build(load_project(folder), [QUICK], Silent()).targets[0].bundle
    files = {path.name: path.read_bytes() for path in first.iterdir() if path.name != "manifest.json"}
    beside = Pruning(load_project(folder).cache_folder)
    again = build(load_project(folder), [QUICK], beside)
    assert beside.freed > 0 and not any(cached(again)[:3])
    assert {name: (first / name).read_bytes() for name in files} == files


@pytest.mark.usefixtures("quiet_machine")
def test_a_cache_that_cannot_be_written_is_still_read(make_project: MakeProject) -> None:
    folder = shortened(make_project())
    build(load_project(folder), [QUICK], Silent())
    cache = load_project(folder).cache_folder
    with read_only(cache):
        done = unprivileged(folder, "build", "-t", QUICK.id)
        assert done.returncode == 0 and "every step came from the cache" in done.stdout, done.stderr
        (folder / "model.py").write_text((folder / "model.py").read_text() + "# changed")
        done = unprivileged(folder, "build", "-t", QUICK.id)
    assert done.returncode == 3 and "cannot be written: Permission denied" in done.stderr, done.stderr
    assert "hint: check its owner and mode" in done.stderr and "Traceback" not in done.stderr


def test_a_project_that_cannot_be_written_is_a_storage_error(make_project: MakeProject) -> None:
    folder = shortened(make_project())
    with read_only(folder):
        done = unprivileged(folder, "build", "-t", QUICK.id)
    assert done.returncode == 3 and "cannot be written: Permission denied" in done.stderr, done.stderr


def unprivileged(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where modes of files hold for root as well."""
    command = [sys.executable, "-m", "edgekit", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, preexec_fn=heed_modes)


def cached(done: Build) -> list[bool]:
    return [run.cached for each in done.targets for run in each.steps]


def test_the_road_ends_in_a_smaller_integer_model_that_still_works(built: Build) -> None:
    rpi4 = built.targets[0]
    runs = {(run.name, run.role): run for run in rpi4.steps}
    prune = runs["prune", Role.STUDENT].artifact
    assert prune.notes["parameters"] < prune.notes["parameters_before"]
    assert prune.notes["macs"] < prune.notes["macs_before"]
    assert Trait.INTEGER in runs["fuse", Role.STUDENT].artifact.facts
    assert rpi4.model_bytes < rpi4.float_bytes < rpi4.reference_bytes
    assert rpi4.reference_value > 80, "the teacher learned four shapes"
    assert all(run.metric is not None for run in rpi4.steps)
    assert {run.artifact.format for run in rpi4.steps} == {Format.TORCH, Format.ONNX}


def test_targets_share_what_does_not_depend_on_them(built: Build) -> None:
    rpi4, vnni = ([(run.name, run.artifact.digest) for run in each.steps] for each in built.targets)
    same = [name for (name, left), (_, right) in zip(rpi4, vnni, strict=True) if left == right]
    assert same == ["train", "distill", "prune", "export", "simplify", "export", "simplify"]
    assert [run.cached for run in built.targets[1].steps] == [True] * 5 + [False] * 2 + [True] * 2


def test_the_activations_are_those_of_the_targets_kernels(built: Build) -> None:
    found = {each.target.id: each.steps[6].artifact.notes["activations"] for each in built.targets}
    assert found == {"rpi4": ["int8"], "x86-vnni": ["uint8"]}


@pytest.mark.usefixtures("quiet_machine")
def test_a_second_build_does_no_step_again_and_leaves_the_same_bytes(built: Build, built_folder: Path) -> None:
    before = {each.target.id: sha256_of_file(each.bundle / "manifest.json") for each in built.targets}
    again = build(load_project(built_folder), [each.target for each in built.targets], Silent())
    assert all(cached(again))
    assert {each.target.id: sha256_of_file(each.bundle / "manifest.json") for each in again.targets} == before


@pytest.mark.parametrize(
    ("file", "old", "new", "redone"),
    [
        pytest.param("edgekit.toml", "seed = 0", "seed = 1", "train", marks=pytest.mark.slow),
        pytest.param("edgekit.toml", "epochs = 1", "epochs = 2", "train", marks=pytest.mark.slow),
        pytest.param("model.py", "Net(16)", "Net(20)", "train", marks=pytest.mark.slow),
        ("data.py", "images(96, 1)", "images(80, 1)", "train"),
        ("edgekit.toml", 'inputs = ["image"]', 'inputs = ["picture"]', "export"),
    ],
)
def test_what_a_change_touches_is_done_again(
    make_project: MakeProject, file: str, old: str, new: str, redone: str
) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    build(load_project(folder), [QUICK], Silent())
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    runs = build(load_project(folder), [QUICK], Silent()).targets[0].steps
    assert next(run.name for run in runs if not run.cached) == redone


def test_a_comment_in_a_file_that_nothing_imports_changes_nothing(make_project: MakeProject) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    build(load_project(folder), [QUICK], Silent())
    (folder / "notes.py").write_text("# nothing")
    assert all(cached(build(load_project(folder), [QUICK], Silent())))


def test_undeclared_data_is_hashed_once_and_said_to_be_assumed(make_project: MakeProject) -> None:
    folder = shortened(make_project({"data_files = []\n": "", 'teacher = "model:teacher"\n': ""}))
    first = build(load_project(folder), [QUICK], Silent())
    assert any("data:train: hashed" in text and "assumed unchanged" in text for text in first.assumed)
    second = build(load_project(folder), [QUICK], Silent())
    assert second.assumed == first.assumed
    assert all(cached(second))
    manifest = json.loads((second.targets[0].bundle / "manifest.json").read_text())
    assert manifest["assumed_unchanged"] == list(first.assumed)


SLOW = SHORT.replace("epochs = 1", "epochs = 150")


@pytest.mark.slow
def test_a_killed_build_is_continued_and_ends_in_the_same_weights(make_project: MakeProject) -> None:
    """kill -9 during training; the next build goes on from the last epoch and reaches the uninterrupted result."""
    replaced = {'teacher = "model:teacher"\n': ""}
    killed = shortened(make_project(replaced, "killed"), SLOW)
    whole = shortened(make_project(replaced, "whole"), SLOW)
    process = subprocess.Popen(
        [sys.executable, "-m", "edgekit", "build", "-q", "-t", "x86-vnni"], cwd=killed, stdout=subprocess.DEVNULL
    )
    checkpoints = killed / ".edgekit" / "cache" / "partial"
    deadline = time.monotonic() + 60
    while not list(checkpoints.glob("*/checkpoints/epoch.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(checkpoints.glob("*/checkpoints/epoch.pt")), "it was killed in the middle"
    assert not (killed / "dist").exists()
    epochs: list[int] = []

    class Watch(Silent):
        def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
            epochs.append(done)

    continued = build(load_project(killed), [QUICK], Watch())
    assert epochs[0] > 1, "training was continued, not begun again"
    fresh = build(load_project(whole), [QUICK], Silent())
    assert [run.artifact.digest for run in continued.targets[0].steps] == [
        run.artifact.digest for run in fresh.targets[0].steps
    ]


@pytest.mark.slow
def test_two_builds_at_once_share_the_work(make_project: MakeProject) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}), SHORT.replace("epochs = 1", "epochs = 60"))
    command = [sys.executable, "-m", "edgekit", "build", "--json", "-t", "x86-vnni"]
    both = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    items = [json.loads(process.communicate()[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    steps = [[step["cached"] for step in each["targets"][0]["steps"]] for each in items]
    ran = [sum(not one[i] for one in steps) for i in range(len(steps[0]))]
    assert ran == [1, 1, 1, 0, 0], "each step ran once; the reference is the student's own export here"
    assert items[0]["targets"][0]["bytes"] == items[1]["targets"][0]["bytes"]
    assert all(cached(build(load_project(folder), [QUICK], Silent())))


def test_a_damaged_cache_entry_is_made_again(make_project: MakeProject) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    first = build(load_project(folder), [QUICK], Silent())
    first.targets[0].steps[2].artifact.path.write_bytes(b"torn")
    second = build(load_project(folder), [QUICK], Silent())
    assert cached(second)[:4] == [True, True, False, True]
    assert second.targets[0].steps[2].artifact.digest == first.targets[0].steps[2].artifact.digest


def test_a_step_that_raises_keeps_what_was_done(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgekit.steps.simplify import Simplify

    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    run = Simplify.run
    monkeypatch.setattr(Simplify, "run", lambda *_: 1 / 0)
    with pytest.raises(StepError) as raised:
        build(load_project(folder), [QUICK], Silent())
    assert raised.value.message == "step 3 simplify raised ZeroDivisionError: division by zero"
    assert not (folder / "dist").exists()
    monkeypatch.setattr(Simplify, "run", run)
    assert cached(build(load_project(folder), [QUICK], Silent()))[:3] == [True, True, False]


def test_a_step_that_breaks_its_declaration_is_reported(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.steps.simplify import Simplify

    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))

    def idle(_: Simplify, model: object, __: object, context: object) -> object:
        import onnx

        from edgekit.contract.step import Outcome

        path = context.folder / "model.onnx"  # type: ignore[attr-defined]
        own = onnx.load(model.path)  # type: ignore[attr-defined]
        own.opset_import.append(onnx.helper.make_opsetid("mine", 1))
        own.graph.node[0].domain = "mine"
        onnx.save(own, path)
        return Outcome(path, {})

    monkeypatch.setattr(Simplify, "run", idle)
    with pytest.raises(StepError, match="step 3 simplify declares the output traits portable, but its output"):
        build(load_project(folder), [QUICK], Silent())


@pytest.mark.parametrize(
    ("old", "new", "kind", "told"),
    [
        ("return images(96, 1)", "return images(0, 1)", DataError, "'data:train' is empty"),
        ("return images(96, 1)", "return [1, 2]", DataError, "not (input, target) pairs"),
        ("return images(96, 1)", "return None", EntryPointError, "returned a NoneType"),
        ("return images(96, 1)", "raise OSError('gone')", EntryPointError, "'data:train' raised OSError: gone"),
        ("labels)", "labels + 1)", DataError, "a label is 4, but the model has 4 classes"),
        ("0.3 * noise", "0.3 * noise / 0", DataError, "has NaN or infinite inputs, first in sample"),
        (
            "[:, None] +",
            "[:, None].repeat(1, 3, 1, 1) +",
            ModelError,
            "the model does not take inputs of float32 (16, 3, 8, 8)",
        ),
        ("labels)", "labels.float())", DataError, "classification takes logits"),
    ],
)
def test_bad_data_is_told_before_anything_is_lost(
    make_project: MakeProject, old: str, new: str, kind: type[Exception], told: str
) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    text = (folder / "data.py").read_text()
    assert old in text
    (folder / "data.py").write_text(text.replace(old, new))
    with pytest.raises(kind) as raised:
        build(load_project(folder), [QUICK], Silent())
    assert told in raised.value.message  # type: ignore[attr-defined]
    assert raised.value.hint  # type: ignore[attr-defined]


UNWISE = """
[[steps]]
use = "train"
epochs = 1

[[steps]]
use = "quantize-weights"
granularity = "tensor"

[[steps]]
use = "sparsify"
epochs = 0

[[steps]]
use = "export"
"""


def test_an_unwise_order_is_refused_before_any_work_or_allowed_and_written_down(make_project: MakeProject) -> None:
    project = load_project(shortened(make_project({'teacher = "model:teacher"\n': ""}), UNWISE))
    with pytest.raises(PlanError, match="EK101: step 2 quantize-weights and step 3 sparsify") as raised:
        build(project, [QUICK], Silent())
    assert raised.value.hint.endswith("--allow EK101 --allow EK203")
    done = build(project, [QUICK], Silent(), BuildOptions(allowed=["EK101", "EK203"])).targets[0]
    assert not done.steps[0].cached, "nothing had run"
    value = json.loads((done.bundle / "manifest.json").read_text())["findings"]
    assert {each["code"]: each["severity"] for each in value}["EK101"] == "error"


@pytest.mark.parametrize(("code", "told"), [("EK001", "cannot be allowed"), ("EK999", "no finding has the code")])
def test_what_cannot_be_allowed_is_reported(tiny: Project, code: str, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        build(tiny, [QUICK], Silent(), BuildOptions(allowed=[code]))


def test_a_model_entry_that_returns_no_module_is_reported(make_project: MakeProject) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    (folder / "model.py").write_text("def student():\n    return 'a module'\n")
    with pytest.raises(EntryPointError, match=r"returned a str, not a torch\.nn\.Module"):
        build(load_project(folder), [QUICK], Silent())


def test_targets_come_from_the_command_or_the_project(tiny: Project) -> None:
    assert [each.id for each in chosen_targets(tiny, ())] == ["rpi4"]
    assert [each.id for each in chosen_targets(tiny, ("rpi5", "rpi3", "rpi5"))] == ["rpi5", "rpi3"]
    with pytest.raises(TargetError, match="no target is given"):
        chosen_targets(tiny.copy_with(targets=()), ())


REGRESSION = {
    'teacher = "model:teacher"\n': "",
    'inputs = ["image"]\noutputs = ["logits"]\n': "",
    'name = "tiny"': 'name = "tiny"\nmetric = "task:score"\nloss = "task:loss"',
    "max_drop = 100.0": "min_metric = -100.0",
}
TASK = """
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.out = nn.Linear(3, 8), nn.Linear(2, 8), nn.Linear(8, 1)
    def forward(self, a, b):
        hidden = F.relu(self.left(a) + self.right(b))
        return self.out(hidden), hidden.sum(1)

class Pairs(Dataset):
    def __len__(self): return 40
    def __getitem__(self, i):
        g = torch.Generator().manual_seed(i)
        a, b = torch.randn(3, generator=g), torch.randn(2, generator=g)
        return (a, b), (a.sum() - b.sum())[None]

def student(): return Both()
def data(): return Pairs()
def loss(outputs, targets): return F.mse_loss(outputs[0], targets)
def score(outputs, targets): return -float(np.abs(outputs[0] - targets).mean())
"""


@pytest.mark.slow
def test_several_inputs_and_outputs_with_a_loss_and_a_metric_of_ones_own(make_project: MakeProject) -> None:
    folder = make_project(REGRESSION)
    text = (folder / "edgekit.toml").read_text().replace("model:student", "task:student")
    for split in ("train", "calibration", "evaluation"):
        text = text.replace(f"data:{split}", "task:data")
    steps = SHORT.replace("epochs = 1", "epochs = 5") + '\n[[steps]]\nuse = "quantize"\n\n[[steps]]\nuse = "fuse"\n'
    (folder / "edgekit.toml").write_text(text)
    (folder / "task.py").write_text(TASK)
    shortened(folder, steps)
    done = build(load_project(folder), [RPI4], Silent()).targets[0]
    manifest = json.loads((done.bundle / "manifest.json").read_text())
    assert [port["name"] for port in manifest["model"]["inputs"]] == ["a", "b"]
    assert [port["name"] for port in manifest["model"]["outputs"]] == ["output_0", "output_1"]
    assert {gate.name: gate.status for gate in done.verdict.gates}["parity"] == "passed"
    assert abs(done.value - done.float_value) < 0.5


@pytest.mark.slow
def test_a_loader_that_shuffles_by_itself_trains_the_same_twice(make_project: MakeProject) -> None:
    digests = []
    for name in ("one", "two"):
        folder = shortened(make_project({'teacher = "model:teacher"\n': ""}, name))
        text = (
            (folder / "data.py")
            .read_text()
            .replace(
                "return images(96, 1)",
                "from torch.utils.data import DataLoader\n    return DataLoader(images(96, 1), 16, shuffle=True)",
            )
        )
        (folder / "data.py").write_text(text)
        digests.append(build(load_project(folder), [QUICK], Silent()).targets[0].steps[0].artifact.digest)
    assert digests[0] == digests[1]


@pytest.mark.slow
@needs_compiler
def test_a_calibrated_target_is_judged_by_prediction(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.figures.ratios.LEAST_MACS", 1)
    monkeypatch.setattr("edgekit.gates.speed.LEAST_MACS", 1)
    monkeypatch.setattr("edgekit.builds.evidence.LEAST_MACS", 1)
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}), SHORT + '[[steps]]\nuse = "quantize"\n')
    (folder / "targets").mkdir()
    (done,) = build(load_project(folder), [known(RPI4, folder / "targets")], Silent()).targets
    gates = {gate.name: gate for gate in done.verdict.gates}
    assert gates["never-slower"].status in ("passed", "failed", "undecided")
    assert gates["never-slower"].detail.startswith("predicted: ")
    (plain,) = build(load_project(folder), [RPI4], Silent()).targets
    gates = {gate.name: gate for gate in plain.verdict.gates}
    gate = gates["never-slower"]
    assert gate.status == "undecided" and "times the float model's instructions (emulated, one thread)" in gate.detail


def test_the_environment_may_lack_the_emulator(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shortened(make_project({'teacher = "model:teacher"\n': ""}))
    monkeypatch.setenv("EDGEKIT_EMULATORS", str(folder / "none"))
    monkeypatch.setenv("PATH", os.defpath + ":" + str(folder))
    done = build(load_project(folder), [RPI4], Silent())
    gates = {gate.name: gate for gate in done.targets[0].verdict.gates}
    assert gates["parity"].status == "not_run" and "edgekit setup rpi4" in gates["parity"].detail
    assert done.passes(strict=False) and not done.passes(strict=True)
    assert "not_run" in (done.targets[0].bundle / "manifest.json").read_text()
    monkeypatch.undo()
    again = build(load_project(folder), [RPI4], Silent())
    assert {gate.name: gate.status for gate in again.targets[0].verdict.gates}["parity"] == "passed"


def test_a_teacher_that_cannot_be_exported_is_told_before_the_student_is_trained(make_project: MakeProject) -> None:
    folder = make_project()
    model = (folder / "model.py").read_text()
    branch = "        if image.sum() > 0:\n            image = image + 0\n        features = self.first(image)"
    assert "        features = self.first(image)" in model
    whole = model.replace("        features = self.first(image)", branch)
    own = model.replace("class Net", "class Small").replace("return Net(16)", "return Small(16)")
    (folder / "model.py").write_text(whole)
    (folder / "small.py").write_text(own)
    text = (folder / "edgekit.toml").read_text().replace('student = "model:student"', 'student = "small:student"')
    (folder / "edgekit.toml").write_text(text)
    progress = Recorded()
    with pytest.raises(ModelError, match=r"torch\.onnx cannot export the model"):
        build(load_project(folder), [find_target("rpi4")], progress)
    assert progress.started == ["train teacher", "export reference"]


class Recorded(Silent):
    """Which steps were started."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        self.started.append(name)


STEPS_FIRST = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.head = nn.GRU(8, 12), nn.Linear(12, 4)

    def forward(self, image):
        steps, last = self.rows(image[:, 0].transpose(0, 1))
        return self.head(steps), last


def student():
    return Net()
"""
SCORES = """
from torch.nn.functional import cross_entropy


def loss(outputs, labels):
    return cross_entropy(outputs[0][-1], labels)


def right(outputs, labels):
    assert outputs[0].shape == (8, len(labels), 4) and outputs[1].shape == (1, len(labels), 12)
    return 100.0 * (outputs[0][-1].argmax(1) == labels).mean()
"""


@pytest.mark.slow
def test_samples_need_not_lie_on_the_first_axis(make_project: MakeProject) -> None:
    names = {'outputs = ["logits"]': 'outputs = ["steps", "last"]', 'teacher = "model:teacher"\n': ""}
    scores = {"seed = 0\n": 'seed = 0\nloss = "scores:loss"\nmetric = "scores:right"\n'}
    folder = shortened(make_project({**names, **scores}), SHORT + '[[steps]]\nuse = "quantize"\n')
    (folder / "model.py").write_text(STEPS_FIRST)
    (folder / "scores.py").write_text(SCORES)
    (done,) = build(load_project(folder), [RPI4], Silent()).targets
    assert {gate.name: gate.status.value for gate in done.verdict.gates}["parity"] == "passed"
    metrics = {(one.model, one.fidelity): one.value for one in done.verdict.measurements if one.name == "metric"}
    assert metrics["deployed", Fidelity.EMULATED] == metrics["deployed", Fidelity.NATIVE] == done.value
    data = json.loads((done.bundle / "manifest.json").read_text())
    assert [each["shape"] for each in data["model"]["outputs"]] == [[8, "batch", 4], [1, "batch", 12]]
    assert [each["shape"] for each in data["golden"]["outputs"]] == [[8, 1, 4], [1, 1, 12]]


NAMED = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        conv = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.kind, self.place = nn.Linear(8, 4), nn.Linear(8, 2)

    def forward(self, image):
        x = self.body(image.float() / 255)
        found = {"linear": self.kind(x), "place": self.place(x), "image": x}
        return {**found, "extra": self.kind(x) * 0.5} if self.training else found


def student():
    return Net()
"""
NESTED = """
import torch


def samples(count):
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count, dtype=torch.int32) % 4
    return [(images[i], {"kind": labels[i], "box": (float(i), torch.tensor(0.5))}) for i in range(count)]


def train():
    return samples(33)


def calibration():
    return samples(16)


def evaluation():
    return samples(24)
"""
SCORES_BY_NAME = """
from torch.nn.functional import cross_entropy


def loss(outputs, targets):
    extra = cross_entropy(outputs["extra"], targets["kind"].long()) if len(outputs) == 4 else 0.0
    return extra + cross_entropy(outputs["linear"], targets["kind"].long()) + outputs["place"].pow(2).mean()


def right(outputs, targets):
    assert len(targets["box"]) == 2 and len(targets["box"][0]) == 24
    return 100.0 * (outputs["linear"].argmax(1) == targets["kind"]).mean()
"""


def test_outputs_and_targets_by_name(make_project: MakeProject) -> None:
    """With a list of samples, integers of all sizes, a last batch of one, and an output more in training."""
    names = {'inputs = ["image"]\noutputs = ["logits"]\n': "", 'teacher = "model:teacher"\n': ""}
    scores = {"seed = 0\n": 'seed = 0\nloss = "scores:loss"\nmetric = "scores:right"\n'}
    folder = shortened(make_project({**names, **scores}), SHORT + '[[steps]]\nuse = "quantize"\n')
    (folder / "model.py").write_text(NAMED)
    (folder / "data.py").write_text(NESTED)
    (folder / "scores.py").write_text(SCORES_BY_NAME)
    (done,) = build(load_project(folder), [QUICK], Silent()).targets
    value = json.loads((done.bundle / "manifest.json").read_text())["model"]
    assert [(each["name"], each["dtype"]) for each in value["inputs"]] == [("image", "uint8")]
    assert [each["name"] for each in value["outputs"]] == ["linear", "place", "image_output"]


def test_a_board_verifies_the_build(make_project: MakeProject, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", sshd.client)
    here = next((each for each in map(find_target, ("x86-vnni", "x86-avx2")) if each.is_this(this_host())), None)
    if here is None:
        pytest.skip("this machine is none of the shipped x86 targets")
    (done,) = build(load_project(shortened(make_project())), [here], Silent(), BuildOptions(runner=sshd.url)).targets
    assert {gate.name: gate.status for gate in done.verdict.gates}["parity"] is Status.PASSED
    assert any(one.name == "latency_p50" for one in done.verdict.measurements)


def test_a_board_that_is_another_is_refused_before_anything_is_trained(
    make_project: MakeProject, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", sshd.client)
    folder = shortened(make_project())
    with pytest.raises(BoardError, match="is not a rpi4"):
        build(load_project(folder), [RPI4], Silent(), BuildOptions(runner=sshd.url))
    assert not (folder / ".edgekit").exists()
