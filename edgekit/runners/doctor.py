"""What is installed here, what each missing piece would give, and how to get it."""

import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.errors import ContainerError, EmulatorError
from edgekit.host import installed_version, this_host
from edgekit.runners.emulator import CONTAINER_HINT, prepared_emulator
from edgekit.runners.engine import found_engine
from edgekit.target import Target, load_target, target_files


@dataclass(frozen=True)
class Checkup:
    name: str
    found: str
    """The version, or empty where it is missing."""
    gives: str
    remedy: str
    """How to get it; empty where it is there."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_PACKAGES = (
    ("onnxruntime", "running, quantizing and fusing ONNX models", "pip install edgekit"),
    ("onnxsim", "one of the two simplifiers", "pip install edgekit"),
    ("onnxslim", "the other simplifier", "pip install edgekit"),
    ("onnxscript", "folding batch norms, exporting from torch", "pip install edgekit"),
    ("pillow", "images as calibration data", "pip install edgekit"),
    ("soundfile", "sounds as calibration data", "pip install edgekit"),
    ("torch", "training, distilling, exporting", "pip install 'edgekit[training]', torch's CPU build first (README)"),
    ("torch-pruning", "the step prune", "pip install 'edgekit[training]'"),
    ("safetensors", "weights without pickles", "pip install 'edgekit[training]'"),
    ("matplotlib", "the plot of a study", "pip install 'edgekit[plot]'"),
    ("neural-compressor", "Intel Neural Compressor's quantizer", "pip install 'edgekit[inc]'"),
    ("ai-edge-litert", "writing, reading and running .tflite files", "pip install 'edgekit[litert]'"),
    (
        "tflite-runtime",
        "running .tflite files as older devices do",
        "pip install 'edgekit[tflite]' (Python 3.11, Linux)",
    ),
)


def checkups() -> list[Checkup]:
    """This machine's packages, then each target's way to figures."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    found = [Checkup("python", python, "", "")]
    for name, gives, remedy in _PACKAGES:
        installed = installed_version(name)
        found.append(Checkup(name, installed, gives, "" if installed else remedy))
    found += [_cuda(), _engine(), _ssh()]
    found += [_target_checkup(load_target(path)) for path in target_files().values()]
    return found


def _cuda() -> Checkup:
    gives = "faster training"
    if not installed_version("torch"):
        return Checkup("cuda", "", gives, "needs torch first")
    import torch

    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    return Checkup("cuda", name, gives, "" if name else "an NVIDIA GPU and torch's CUDA build; the CPU serves too")


def _engine() -> Checkup:
    gives = "--runner container: a target's CPU on any system"
    try:
        return Checkup("container engine", str(found_engine()), gives, "")
    except ContainerError as error:
        return Checkup("container engine", "", gives, f"{error.message}: {error.hint}")


def _ssh() -> Checkup:
    gives = "--runner ssh://: figures of a board"
    found = shutil.which("ssh") or ""
    return Checkup("ssh", found, gives, "" if found else "install the OpenSSH client")


def _target_checkup(target: Target) -> Checkup:
    gives = "parity, memory and the target's own crashes"
    if target.is_this(this_host()):
        return Checkup(f"target {target.id}", "this machine", f"{gives}, latency", "")
    try:
        return Checkup(f"target {target.id}", f"{prepared_emulator(target).version}", gives, "")
    except EmulatorError as error:
        return Checkup(f"target {target.id}", "", gives, _emulator_remedy(target, error))


def _emulator_remedy(target: Target, error: EmulatorError) -> str:
    if not target.cpu:
        return error.hint
    can_set_up = sys.platform.startswith("linux") and shutil.which("apt-get") and shutil.which("dpkg-deb")
    return f"edgekit setup {target.id}" if can_set_up else CONTAINER_HINT
