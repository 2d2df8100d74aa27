"""weight-only: INT4 weights of matrix products in blocks, float activations; for transformers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import StepError
from edgekit.process_state import quiet_loggers
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts


@dataclass(frozen=True)
class WeightOnly(Step):
    """Blockwise INT4 with ONNX Runtime's MatMulNBits: the file is smaller, and memory-bound models are faster."""

    block_size: Literal[16, 32, 64, 128] = 32
    """Adjacent weights that share a scale."""
    symmetric: bool = True
    """No zero points, which saves space."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE),
        provides=facts(Trait.INTEGER),
        preserves=facts(Format.ONNX, Trait.STATIC, Trait.FOLDED, Trait.CONVERGED),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )
    feature = "onnx-integers"
    equivalents = {Format.TFLITE: "tflite-dynamic"}

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            lossy=True,
            bits=4,
            granularity="group",
            static=False,
            simulated=False,
            prepares=False,
            fine_tuned=False,
            aggressive=False,
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.inspection import file_notes
        from edgekit.model.passes.gemm_to_matmul import GemmToMatMulPass
        from edgekit.model.passes.rewriting import rewrite
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.runtimes import ort  # noqa: F401  (switches telemetry off before the next import)

        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer  # isort: skip

        path = context.folder / "model.onnx"
        quantizer = MatMulNBitsQuantizer(
            rewrite(load_model(model.path), GemmToMatMulPass()),
            block_size=self.block_size,
            is_symmetric=self.symmetric,
            accuracy_level=4,
        )
        with quiet_loggers("onnxruntime.quantization"):
            quantizer.process()
        save_model(quantizer.model.model, path)
        strip_annotations(path, model.path)
        found = file_notes(path)
        if "MatMulNBits" not in found["operators"]:
            raise StepError(
                "weight-only found no matrix product with constant weights to quantize",
                "it is for transformers; for a convolutional network use the step quantize",
            )
        return Outcome(path, {**found, "block_size": self.block_size, "symmetric": self.symmetric})
