"""What is installed here, what each missing piece is for, and how to install it."""

import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.errors import ContainerError, EmulatorError, ToolError
from edgekit.fetching.packages import can_fetch_packages
from edgekit.fetching.source import Source
from edgekit.host import installed_version, this_host
from edgekit.runners.emulator import CONTAINER_HINT, find_emulator
from edgekit.runners.engine import find_engine
from edgekit.runtime_specs import RUNTIMES
from edgekit.runtimes.opening import installed_runtime
from edgekit.target import Target
from edgekit.target_files import load_targets
from edgekit.version import pip_install


@dataclass(frozen=True)
class Checkup:
    name: str
    found: str
    """The version; empty if it is missing."""
    gives: str
    remedy: str
    """How to install it; empty if it is there."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_PACKAGES = (
    ("onnxsim", "one of the two simplifiers", ""),
    ("onnxslim", "the other simplifier", ""),
    ("onnxscript", "folding batch norms, exporting from torch", ""),
    ("pillow", "images as calibration data", ""),
    ("soundfile", "sounds as calibration data", ""),
    ("torch", "training, distilling, exporting", "training"),
    ("torch-pruning", "the step prune", "training"),
    ("safetensors", "loading weights without pickle", "training"),
    ("scipy", "confidence intervals, latency calibration of a board", "training"),
    ("scikit-learn", "the digits data of the project that edgekit init writes", "training"),
    ("matplotlib", "the plot of a study", "plot"),
    ("neural-compressor", "Intel Neural Compressor's quantizer", "inc"),
)
"""Packages with their purpose and the extra that installs them; empty for a dependency of edgekit itself."""


def checkups() -> list[Checkup]:
    """This machine's packages, then how each target can be measured."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    found = [Checkup("python", python, "", "")]
    for name, gives, extra in _PACKAGES:
        installed = installed_version(name)
        torch_first = ", torch's CPU build first (README)" if name == "torch" else ""
        found.append(Checkup(name, installed, gives, "" if installed else f"{pip_install(extra)}{torch_first}"))
    found += [_runtime_checkup(name) for name in RUNTIMES]
    found += [_cuda(), _engine(), _ssh()]
    found += [_target_checkup(each) for each in load_targets()[0]]
    return found


def _runtime_checkup(name: str) -> Checkup:
    try:
        return Checkup(name, installed_runtime(name).version, RUNTIMES[name].purpose, "")
    except ToolError as error:
        return Checkup(name, "", RUNTIMES[name].purpose, error.hint)


def _cuda() -> Checkup:
    gives = "faster training"
    if not installed_version("torch"):
        return Checkup("cuda", "", gives, "needs torch first")
    import torch

    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    return Checkup(
        "cuda", name, gives, "" if name else "an NVIDIA GPU and torch's CUDA build; training also runs on the CPU"
    )


def _engine() -> Checkup:
    gives = "--runner container: a target's CPU on any operating system"
    try:
        return Checkup("container engine", str(find_engine()), gives, "")
    except ContainerError as error:
        return Checkup("container engine", "", gives, f"{error.message}: {error.hint}")


def _ssh() -> Checkup:
    gives = "--runner ssh://: measuring on a board"
    found = shutil.which("ssh") or ""
    return Checkup("ssh", found, gives, "" if found else "install the OpenSSH client")


def _target_checkup(target: Target) -> Checkup:
    gives = "parity, memory and crashes on the target's CPU"
    if target.is_this(this_host()):
        return Checkup(f"target {target.id}", "this machine", f"{gives}, latency", "")
    try:
        return Checkup(f"target {target.id}", f"{find_emulator(target).version}", gives, "")
    except EmulatorError as error:
        return Checkup(f"target {target.id}", "", gives, _emulator_remedy(target, error))


def _emulator_remedy(target: Target, error: EmulatorError) -> str:
    if not target.cpu:
        return error.hint
    can_set_up = sys.platform.startswith("linux") and can_fetch_packages(Source())
    return f"edgekit setup {target.id}" if can_set_up else CONTAINER_HINT
