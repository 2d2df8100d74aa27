"""What can be true of a model while a plan runs.

Absence is expressed by a positive trait (FLOAT, not "no integers"), so contracts need no list of exclusions.
"""

from enum import StrEnum
from typing import Literal


class Format(StrEnum):
    TORCH = "torch"
    """A PyTorch module: the project's entry point plus weights in a .safetensors file."""
    ONNX = "onnx"
    """One .onnx file that contains its weights."""
    TFLITE = "tflite"
    """One .tflite file."""

    @property
    def label(self) -> str:
        """The name for display."""
        return {"torch": "PyTorch", "onnx": "ONNX", "tflite": "TFLite"}[self.value]


FILES = frozenset({Format.ONNX, Format.TFLITE})
"""The formats that a device can load."""


class Trait(StrEnum):
    FLOAT = "float"
    """Weights and activations are stored as floating point numbers."""
    INTEGER = "integer"
    """At least one weight is stored as an integer, between QuantizeLinear and DequantizeLinear or fused with them."""
    CONVERGED = "converged"
    """Training of these weights, in this shape, is complete."""
    UNCUT = "uncut"
    """A module in the shapes that its entry point defines, so that saved weights fit."""
    FOLDED = "folded"
    """No batch normalization is left that could be folded into a convolution."""
    PORTABLE = "portable"
    """Standard ONNX operators only, so that any CPU and runtime can run the file."""
    STATIC = "static"
    """No operator computes the range of its inputs in each run."""


Fact = Format | Trait
Facts = frozenset[Fact]


def facts(*members: Fact) -> Facts:
    """A set of facts."""
    return frozenset(members)


MODULE_ENTRY = facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT)
"""What an entry point provides: an untrained float module in its own shapes."""

FILE_ENTRY = facts(Format.ONNX, Trait.FLOAT, Trait.CONVERGED, Trait.PORTABLE, Trait.STATIC)
"""What a model file provides as a project's start: a trained float model of standard operators."""


INTEGER_ENTRY = facts(Format.ONNX, Trait.INTEGER, Trait.CONVERGED)
"""What every model file that is already quantized provides."""


class Role(StrEnum):
    """The model of a plan that a step works on."""

    TEACHER = "teacher"
    STUDENT = "student"
    REFERENCE = "reference"
    """The uncompressed model as fp32 ONNX, with which sizes and metrics are compared."""


Architecture = Literal["cnn", "transformer", "other"]
"""The type of a model, in the terms of the interaction table."""


Feature = Literal["onnxruntime-kernels", "onnx-integers"]
"""What a runtime may support of a recipe: graphs that are fused, or put back to float, for ONNX Runtime's own kernels;
ONNX files with dynamic activation ranges or integer weights only."""


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
    """By a latency model, with its interval."""
    STATIC = "static"
    """Counted in the file, so it is the same on every machine."""

    @property
    def has_times(self) -> bool:
        """Whether wall time is a latency with this fidelity."""
        return self in (Fidelity.DEVICE, Fidelity.NATIVE)
