"""tflite: convert an ONNX file, float or quantized, to a .tflite file for devices that run TFLite."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts


@dataclass(frozen=True)
class Tflite(Step):
    """Write the graph as TFLite with channels-last images; for targets with a TFLite runtime, always last.

    It uses ai-edge-litert's types of the format. litert-torch, which starts from the module, adds 0.9 GB of
    dependencies and quantizes again with scales other than the verified ones.
    """

    ports: Literal["float", "int8"] = "float"
    """`int8`: inputs and outputs stay in their quantized form."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.PORTABLE, Trait.STATIC),
        provides=facts(Format.TFLITE),
        preserves=facts(Trait.FLOAT, Trait.INTEGER, Trait.STATIC, Trait.FOLDED, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"runtime"}),
        packages=("ai-edge-litert", "flatbuffers", "onnx", "onnx-ir", "tflite-runtime"),
    )
    sections = ("operators", "tflite")
    converts_to = Format.TFLITE

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.steps.lowered import write_tflite

        path = context.folder / "model.tflite"
        notes = write_tflite(model.path, path, context, integer_ports=self.ports == "int8", dynamic=False)
        return Outcome(path, notes)
