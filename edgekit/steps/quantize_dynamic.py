"""quantize-dynamic: INT8 matrix products with smoothed activations and dynamic ranges."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import StepError
from edgekit.steps.searched import Backend, QuantizedFile, contract_with_search, run_backend, search_compressor, worst
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Array, Arrays
    from edgekit.metrics.calibration_metric import CalibrationMetric

_ALPHAS = (None, 0.5, 0.65, 0.8, 0.85, 0.9)
"""Tried on calibration samples; None does not smooth."""
_JUDGED = 32
"""The number of samples on which they are compared."""
_WORTH_DB = 1.0
"""The gain that justifies the extra operators of smoothing: 12 % of the noise."""
_WHY = "no fixed scale must fit the ranges of the activations: each run computes its own"


@dataclass(frozen=True)
class QuantizeDynamic(Step):
    """INT8 matrix products with constant weights and dynamic activation ranges (ONNX Runtime's dynamic form)."""

    smoothing: Literal["chosen", "none"] | Annotated[float, Meta(ge=0, le=1)] = "chosen"
    """How much of the activations' range moves into the weights (SmoothQuant, arXiv 2211.10438): `chosen` on
    calibration samples, `none`, or alpha itself. The choice omits extra operators that gain less than 1 dB in total:
    all of them, or those before products that do not narrow."""
    tables: bool = True
    """Also quantize embedding tables."""
    blocks: bool = False
    """Quantize the second product of a feed-forward block, and every other one that narrows, with scales and ranges per
    block of 128: a higher SQNR at a longer time."""

    backend: Backend = "ort"
    """edgekit's passes for ONNX Runtime's kernels; Intel Neural Compressor's with its tuner (extra `inc`), which uses
    none of the options above; or the better of both by the project's metric on calibration samples."""
    trials: Annotated[int, Meta(ge=1)] = 10
    """The most trials of the tuner."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE),
        provides=facts(Trait.INTEGER),
        preserves=facts(Format.ONNX, Trait.FOLDED, Trait.PORTABLE, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"quantization"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )
    sections = ("scheme",)
    feature = "onnx-integers"
    equivalents = {Format.TFLITE: "tflite-dynamic"}

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            lossy=True,
            bits=8,
            granularity="channel",
            activations="uint8",
            weights="int8",
            symmetric_activations=False,
            reduced_range=target.quantization.reduce_range if target else None,
            static=False,
            simulated=False,
            prepares=False,
            fine_tuned=False,
            aggressive=False,
            unknown=frozenset() if target else frozenset({"reduced_range"}),
        )

    def reads(self) -> Contract:
        return contract_with_search(self.contract, self.backend)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.inspection import file_notes
        from edgekit.model.reading import save_model, strip_annotations
        from edgekit.model.versions import BLOCK_SCALES, CHANNEL_SCALES

        path, prepared = (context.folder / f"{name}.onnx" for name in ("model", "prepared"))
        source = _prepare(model.path, BLOCK_SCALES if self.blocks else CHANNEL_SCALES)
        save_model(source, prepared)
        judged = _comparison_feeds(context, model.path)
        work = _DynamicQuantization(context, source, prepared, judged, _outputs(prepared, judged))

        def by_compressor(one: Path, goal: "CalibrationMetric") -> QuantizedFile:
            return self._by_compressor(work, goal, one)

        made = run_backend(
            self.backend, context, model.path, path, lambda one: self._by_own_passes(work, one), by_compressor
        )
        strip_annotations(path, model.path)
        prepared.unlink()
        return Outcome(
            path,
            {
                **file_notes(path),
                **work.scheme,
                "why": _WHY,
                "compared_on": f"{sum(len(feed[0]) for feed in judged)} calibration samples",
                "signal_to_noise_db": made.noise,
                **made.notes,
            },
        )

    def _by_own_passes(self, work: "_DynamicQuantization", path: Path) -> QuantizedFile:
        """Smooth with the alpha of the highest SQNR, with no more operators than are worth it."""
        from edgekit.data.calibration_batches import calibration_batches
        from edgekit.model.reading import save_model
        from edgekit.quantizers.calibration import channel_ranges

        batches = calibration_batches(work.context.splits, work.context.progress)
        smooths = self.smoothing != "none"
        largest = channel_ranges(work.prepared, _product_inputs(work.source), batches) if smooths else {}
        tried: dict[_Smoothing, dict[str, float | None]] = {}

        def signal(smoothing: _Smoothing) -> float:
            if smoothing not in tried:
                save_model(self._quantize(work, largest, smoothing), path)
                tried[smoothing] = work.noise(path)
                work.context.progress.note(f"{smoothing}: SQNR of {worst(tried[smoothing]):.1f} dB")
            return worst(tried[smoothing])

        kept = best = max(map(_Smoothing, self._alphas()), key=signal)
        if self.smoothing == "chosen":
            cheaper = (_Smoothing(None), _Smoothing(best.alpha, everywhere=False))
            kept = next((each for each in cheaper if signal(each) >= signal(best) - _WORTH_DB), best)
        save_model(self._quantize(work, largest, kept), path)
        calibrated_by = {"calibration": "the largest of each channel", "calibration_samples": batches.samples}
        notes = {"smoothing": kept.alpha, "smoothed_everywhere": kept.everywhere, "blocks": self.blocks}
        return QuantizedFile({**notes, **(calibrated_by if largest else {})}, tried[kept])

    def _by_compressor(self, work: "_DynamicQuantization", goal: "CalibrationMetric", path: Path) -> QuantizedFile:
        """Use Intel Neural Compressor, whose tuner puts operators back to float until the metric holds."""
        from edgekit.model.reading import load_model, save_model
        from edgekit.model.shapes import with_shapes

        def finish(trial: Path) -> None:
            save_model(with_shapes(load_model(trial)), trial)

        scheme = {**work.scheme, "approach": "dynamic", "method": "minmax", "symmetric_activation": False}
        found = search_compressor(work.context, goal, work.prepared, path, scheme, (), self.trials, finish)
        return QuantizedFile(found, work.noise(path), max(found["trials"]))

    def _quantize(
        self, work: "_DynamicQuantization", largest: Mapping[str, "Array"], smoothing: "_Smoothing"
    ) -> "ModelProto":
        from edgekit.model.passes.dynamic_products import BlockProductsPass, DynamicProductsPass, IntegerTablesPass
        from edgekit.model.passes.rewriting import GraphPass, rewrite
        from edgekit.model.passes.smoothing import SmoothPass

        passes: list[GraphPass] = []
        if smoothing.alpha is not None:
            passes.append(SmoothPass(largest, smoothing.alpha, smoothing.everywhere))
        if self.tables:
            passes.append(IntegerTablesPass())
        if self.blocks:
            passes.append(BlockProductsPass())
        return rewrite(work.source, *passes, DynamicProductsPass(work.scheme["reduce_range"]))

    def _alphas(self) -> tuple[float | None, ...]:
        if self.smoothing == "chosen":
            return _ALPHAS
        return (None,) if self.smoothing == "none" else (float(self.smoothing),)


@dataclass(frozen=True)
class _Smoothing:
    alpha: float | None
    """None does not smooth."""
    everywhere: bool = True
    """False inserts operators only before products that narrow."""

    def __str__(self) -> str:
        if self.alpha is None:
            return "not smoothed"
        return f"smoothed by alpha {self.alpha}{'' if self.everywhere else ' before narrowing products'}"


@dataclass(frozen=True)
class _DynamicQuantization:
    """A model to quantize, and the samples on which results are compared."""

    context: Context
    source: "ModelProto"
    """The model with its products as MatMul."""
    prepared: Path
    """Its file."""
    judged: "list[Arrays]"
    expected: "dict[str, Array]"

    @property
    def scheme(self) -> dict[str, Any]:
        reduced = self.context.target.quantization.reduce_range
        return {"activation": "uint8", "weight": "int8", "per_channel": True, "reduce_range": reduced}

    def noise(self, path: Path) -> dict[str, float | None]:
        """The SQNR of each float output of a quantized file, in dB; None if nothing differs."""
        from edgekit.numerics.compare import signal_to_noise

        given = _outputs(path, self.judged)
        found = {name: signal_to_noise(each, given[name]) for name, each in self.expected.items()}
        return {name: None if each == float("inf") else each for name, each in found.items()}


def _prepare(path: Path, opset: int) -> "ModelProto":
    """The model with its products as MatMul, in float32. Raises StepError if there is none with constant weights."""
    from edgekit.model.passes.convert_to_float32 import ConvertToFloat32Pass
    from edgekit.model.passes.gemm_to_matmul import GemmToMatMulPass
    from edgekit.model.passes.name_nodes import NameNodesPass
    from edgekit.model.passes.rewriting import rewrite
    from edgekit.model.reading import load_model
    from edgekit.model.shapes import with_shapes
    from edgekit.model.versions import upgrade_opset

    model = rewrite(upgrade_opset(load_model(path), opset), ConvertToFloat32Pass(), NameNodesPass(), GemmToMatMulPass())
    if not _product_inputs(model):
        raise StepError(
            "no operator can be quantized: there is no matrix product with constant weights",
            "for a convolutional network use the step quantize",
        )
    return with_shapes(model)


def _product_inputs(model: "ModelProto") -> set[str]:
    """The names of tensors that are multiplied by weights."""
    import onnx_ir as ir

    from edgekit.model.passes.weight_products import products_by_input

    return {given.name for given, _ in products_by_input(ir.from_proto(model)) if given.name}


def _comparison_feeds(context: Context, path: Path) -> "list[Arrays]":
    """Calibration samples for comparison, in the form that the model takes."""
    from edgekit.model.feeding import feeding_of
    from edgekit.model.reading import ports_of

    feeding = feeding_of(ports_of(path)[0])
    batches = context.splits[Data.CALIBRATION].batches(limit=min(_JUDGED, context.project.data.calibration_samples))
    return [feed for batch in batches for feed, _ in feeding.feeds(batch.inputs)]


def _outputs(path: Path, feeds: "list[Arrays]") -> "dict[str, Array]":
    """The float outputs for all feeds, each flattened. No sum of 8-bit products saturates."""
    import numpy as np

    from edgekit.runtimes.ort import session, session_outputs

    running = session(path, exact=True)
    runs = [session_outputs(running, feed) for feed in feeds]
    return {
        name: np.concatenate([each.ravel() for each in given])
        for name, given in zip(runs[0].names, zip(*runs, strict=True), strict=True)
        if given[0].dtype.kind == "f"
    }
