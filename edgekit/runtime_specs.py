"""Every runtime that edgekit knows, one record each.

Adding a runtime takes its record here, the file in edgekit/device/openers/ that loads a model with it, and their tests.
The key of a record is the name of the package on PyPI, by which targets, options and reports name the runtime.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edgekit.traits import Feature, Format


@dataclass(frozen=True, kw_only=True)
class RuntimeSpec:
    format: Format
    """Of the models that it runs."""
    also_runs: frozenset[Format] = frozenset()
    """Other formats that it runs, in a bench only."""
    requirement: str
    """The versions that edgekit is tested with, as pyproject.toml pins them."""
    extra: str
    """The extra of edgekit that installs it; empty for a dependency of edgekit itself."""
    purpose: str
    """What it is installed for."""
    architectures: tuple[str, ...]
    """Those for which PyPI has wheels of it."""
    newest_python: tuple[int, int] | None = None
    """The newest Python with wheels of it; None where there is no limit yet."""
    numpy: str = "numpy<2.5"
    """The versions of numpy that its wheels run with."""
    module: str
    """The module that its opener is given, imported."""
    opener: str
    """The file in edgekit/device/openers/ that loads its models, without its suffix."""
    features: frozenset[Feature] = frozenset()
    """What of a recipe it supports; a step that needs another feature is left out for it."""
    float_types: tuple[str, ...] = ("f32",)
    """The types in which it can compute floats, its default in edgekit first."""
    times_operators: bool = False
    """Whether it reports the time of each operator."""
    runs_exact: bool = False
    """Whether edgekit can run it on x86 without VNNI so that sums of 8-bit products do not saturate."""
    own_arithmetic: bool = False
    """Whether it computes the integer operators of ONNX otherwise than ONNX Runtime does: integer models are then
    evaluated with it, so it must be installed on this machine."""
    rank: int
    """Its place where a build chooses the fastest runtime and nothing can be timed; the lowest is taken."""
    rank_reason: str

    def runs(self, model_format: Format) -> bool:
        """Whether it runs models of a format."""
        return model_format is self.format or model_format in self.also_runs


RUNTIMES: Mapping[str, RuntimeSpec] = {
    "onnxruntime": RuntimeSpec(
        format=Format.ONNX,
        requirement="onnxruntime==1.32.*",
        extra="",
        purpose="running, quantizing and fusing ONNX models",
        architectures=("aarch64", "x86_64"),
        module="onnxruntime",
        opener="onnxruntime_opener",
        features=frozenset({"onnxruntime-kernels", "onnx-integers"}),
        times_operators=True,
        runs_exact=True,
        rank=2,
        rank_reason="its kernels support the target's integers",
    ),
    "tflite-runtime": RuntimeSpec(
        format=Format.TFLITE,
        requirement="tflite-runtime==2.14.0",
        extra="tflite",
        purpose="running .tflite files with the runtime of older devices",
        architectures=("aarch64", "armv7l", "x86_64"),
        newest_python=(3, 11),
        numpy="numpy<2",
        module="tflite_runtime.interpreter",
        opener="tflite_opener",
        rank=4,
        rank_reason="its own kernels are slower than XNNPACK's",
    ),
    "ai-edge-litert": RuntimeSpec(
        format=Format.TFLITE,
        requirement="ai-edge-litert==2.3.0",
        extra="litert",
        purpose="writing, reading and running .tflite files",
        architectures=("aarch64", "x86_64"),
        module="ai_edge_litert.interpreter",
        opener="tflite_opener",
        rank=1,
        rank_reason="XNNPACK's kernels took 0.39 to 0.92 of ONNX Runtime's time on six networks on x86 "
        "(benchmarks/tflite.py)",
    ),
    "openvino": RuntimeSpec(
        format=Format.ONNX,
        requirement="openvino==2026.4.*",
        extra="openvino",
        purpose="running ONNX models with OpenVINO, for comparison on x86",
        architectures=("aarch64", "x86_64"),
        module="openvino",
        opener="openvino_opener",
        also_runs=frozenset({Format.TFLITE}),
        features=frozenset({"onnx-integers"}),
        float_types=("f32", "bf16"),
        own_arithmetic=True,
        rank=3,
        rank_reason="its overhead per run is larger than others' on small networks",
    ),
}


# Records of TOML files are checked against the names; type checkers cannot read a Literal that is computed.
if TYPE_CHECKING:
    RuntimeName = str
else:
    RuntimeName = Literal[tuple(RUNTIMES)]


def runtimes_of(model_format: Format) -> list[str]:
    """The runtimes that run models of a format, the one to prefer first."""
    names = (name for name, spec in RUNTIMES.items() if spec.format is model_format)
    return sorted(names, key=lambda name: RUNTIMES[name].rank)


NO_KERNEL = "the runtime has no kernel for this operator and type: export the model with float32 weights"
"""What to do about a model that a runtime refuses with NOT_IMPLEMENTED."""
