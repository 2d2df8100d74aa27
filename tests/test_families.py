"""The smallest of each family of torchvision's classifiers: counts held against PyTorch's own, and eight built."""

import logging
import shutil
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from edgekit.builds.build import build
from edgekit.gates.gates import Status
from edgekit.model.inspection import inspect_model
from edgekit.model.operator_kinds import MOVES
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.target_files import find_target
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import module_macs, untrained_module
from edgekit.traits import Role
from tests.test_networks import NETWORKS, by_hand

SMALLEST = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "resnext50_32x4d",
    "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vit_b_32",
]  # fmt: skip

# The exporter makes tables of positions into what is looked up in them, one for each pair of positions.
TABLES = {"maxvit_t", "swin_t", "swin_v2_t"}


@pytest.fixture(scope="module")
def models() -> ModuleType:
    """torchvision's, where it is installed."""
    if find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed: make .venv/vision")
    try:
        return import_module("torchvision.models")
    except RuntimeError:  # a build for CUDA beside a torch without: only its own operators are missing
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        return import_module("torchvision.models")


def made(models: ModuleType, name: str) -> nn.Module:
    more = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module: nn.Module = models.get_model(name, weights=None, **more).eval()
    torch.manual_seed(0)
    for each in module.parameters():  # no two alike: the exporter stores equal tensors once
        nn.init.uniform_(each, -0.1, 0.1)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_macs_and_parameters_are_pytorchs(models: ModuleType, name: str, tmp_path: Path) -> None:
    module = made(models, name)
    image = torch.randn(2, 3, *[299 if name == "inception_v3" else 224] * 2)
    path = tmp_path / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(
            module, (image,), str(path), dynamic_shapes=batch, external_data=False, verbose=False, optimize=False
        )
    found = inspect_model(path)
    assert found.macs == module_macs(module, TensorBatch((image,), None)), found.macs_unknown
    parameters = sum(each.numel() for each in module.parameters())
    assert found.parameters >= parameters if name in TABLES else found.parameters == parameters


BUILT = (
    "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5",
    "squeezenet1_1",
)  # fmt: skip
ON_ARM = ("mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5")
DATA = """
from data import digits
from torch.utils.data import TensorDataset


def colours(first, last):
    images, labels = digits(first, last).tensors
    return TensorDataset(images.repeat(1, 3, 2, 2), labels)


def train():
    return colours(0, 320)


def calibration():
    return colours(320, 352)


def evaluation():
    return colours(352, 480)
"""
PROJECT = """
name = "family"
targets = ["x86-vnni"]

[model]
student = "family:student"

[data]
train = "colours:train"
calibration = "colours:calibration"
evaluation = "colours:evaluation"
data_files = []

[budgets]
max_latency_ratio = 100.0

[[steps]]
use = "train"
epochs = 2
learning_rate = 0.001

[[steps]]
use = "export"

[[steps]]
use = "simplify"

[[steps]]
use = "quantize"

[[steps]]
use = "fuse"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target"), [*((name, "x86-vnni") for name in BUILT), *((name, "rpi4") for name in ON_ARM)]
)
@pytest.mark.usefixtures("models")
def test_a_classifier_is_built(name: str, target: str, tmp_path: Path) -> None:
    more = ", init_weights=True" if name == "googlenet" else ""
    text = f"from torchvision import models\n\n\ndef student():\n    return models.{name}(num_classes=10{more})\n"
    (tmp_path / "family.py").write_text(text)
    (tmp_path / "colours.py").write_text(DATA)
    (tmp_path / "edgekit.toml").write_text(PROJECT)
    for file in ("data.py", "model.py"):
        shutil.copy(NETWORKS / file, tmp_path)
    project = load_project(tmp_path)
    (done,) = build(project, [find_target(target)], Silent()).targets
    assert not [gate.detail for gate in done.verdict.gates if gate.status is Status.FAILED]
    assert by_hand(done) == pytest.approx(done.value)
    found = inspect_model(done.bundle / "model.onnx")
    batch = TensorBatch((torch.zeros(1, 3, 64, 64),), None)
    assert found.macs == module_macs(untrained_module(project, Role.STUDENT), batch)
    assert MOVES not in found.float_kinds, "no islands"
    assert found.integer_operators > found.float_operators
    assert done.value > done.float_value - 5


logging.getLogger("torch.onnx").setLevel(logging.ERROR)
