"""tflite-dynamic: convert a float ONNX file to a .tflite file with int8 weights and dynamic activation ranges."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts


@dataclass(frozen=True)
class TfliteDynamic(Step):
    """Write the graph as TFLite with int8 weights of its larger products: per channel for convolutions, per tensor for
    dense layers, where tflite-runtime 2.14 supports nothing else."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE),
        provides=facts(Format.TFLITE, Trait.INTEGER),
        preserves=facts(Trait.FOLDED, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"runtime"}),
        packages=("ai-edge-litert", "flatbuffers", "onnx", "onnx-ir", "tflite-runtime"),
    )
    sections = ("operators", "tflite")

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            lossy=True,
            bits=8,
            granularity="channel",
            weights="int8",
            static=False,
            simulated=False,
            prepares=False,
            fine_tuned=False,
            aggressive=False,
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.steps.lowered import write_tflite

        path = context.folder / "model.tflite"
        return Outcome(path, write_tflite(model.path, path, context, integer_ports=False, dynamic=True))
