"""What can be true of a model on its way through a plan.

Absence is a positive trait (FLOAT, not "no integers"), so a contract never needs a list of what is forbidden.
"""

from enum import StrEnum
from typing import Literal


class Format(StrEnum):
    TORCH = "torch"
    """A PyTorch module: the project's entry point plus weights in a .safetensors file."""
    ONNX = "onnx"
    """One .onnx file with its weights inside."""
    TFLITE = "tflite"
    """One .tflite file."""

    @property
    def label(self) -> str:
        """As people write it."""
        return {"torch": "PyTorch", "onnx": "ONNX", "tflite": "TFLite"}[self.value]


FILES = frozenset({Format.ONNX, Format.TFLITE})
"""What a device can load."""


class Trait(StrEnum):
    FLOAT = "float"
    """Weights and activations are stored as floating point numbers."""
    INTEGER = "integer"
    """At least one weight is stored as an integer, between QuantizeLinear and DequantizeLinear or fused with them."""
    CONVERGED = "converged"
    """Training of these weights, in this shape, ran to its end."""
    UNCUT = "uncut"
    """A module in the shapes that its entry point gives it: saved weights fit."""
    FOLDED = "folded"
    """No batch normalization is left that a convolution could take up: one whose output goes nowhere else."""
    PORTABLE = "portable"
    """Standard ONNX operators only: any CPU and runtime can take the file."""
    STATIC = "static"
    """No operator looks for the range of its inputs in each run."""


Fact = Format | Trait
Facts = frozenset[Fact]


def facts(*members: Fact) -> Facts:
    """A set of facts."""
    return frozenset(members)


MODULE_ENTRY = facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT)
"""What an entry point gives: a module with float weights, untrained, in its own shapes."""

FILE_ENTRY = facts(Format.ONNX, Trait.FLOAT, Trait.CONVERGED, Trait.PORTABLE, Trait.STATIC)
"""What a model file gives that a project starts from: trained, float, of standard operators."""


INTEGER_ENTRY = facts(Format.ONNX, Trait.INTEGER, Trait.CONVERGED)
"""What is true of each model file that is quantized already."""


class Role(StrEnum):
    """Which of a plan's models a step works on."""

    TEACHER = "teacher"
    STUDENT = "student"
    REFERENCE = "reference"
    """The uncompressed model as fp32 ONNX: what sizes and accuracies are compared with."""


Architecture = Literal["cnn", "transformer", "other"]
"""What a model is made of, in the interaction table's terms."""


Feature = Literal["onnxruntime-kernels", "onnx-integers"]
"""What a runtime may support of a recipe: graphs fused, or put back to float, for ONNX Runtime's own kernels; the
integer forms of ONNX files whose ranges each run finds, or whose weights alone are integers."""


class Data(StrEnum):
    """The splits of a project's data."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    EVALUATION = "evaluation"


class Fidelity(StrEnum):
    """How a figure was obtained. Figures of different fidelity never share a column or a ratio."""

    DEVICE = "device"
    """On a real board of the target."""
    NATIVE = "native"
    """On this machine."""
    EMULATED = "emulated"
    """Under emulation of the target's CPU; never wall time."""
    PREDICTED = "predicted"
    """By a model, with its error bar."""
    STATIC = "static"
    """Counted in the file: the same on every machine."""

    @property
    def has_times(self) -> bool:
        """Whether wall time is a latency there."""
        return self in (Fidelity.DEVICE, Fidelity.NATIVE)
