"""quantize: static INT8 in QDQ form by ONNX Runtime, calibrated on the project's calibration split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.artifact import Artifact
from edgekit.errors import StepError, first_line
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Quantization, Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Arrays
    from edgekit.progress import Progress


_LOOKED_AT = 8
"""Samples whose inner tensors are looked at before anything is quantized."""

_BY_TARGET = frozenset({"granularity", "activations", "weights", "symmetric_activations", "reduced_range"})


@dataclass(frozen=True)
class Quantize(Step):
    """Weights and activations to 8-bit integers with the target's scheme (Jacob et al., arXiv 1712.05877)."""

    activation: Literal["target", "int8", "uint8"] = "target"
    weight: Literal["target", "int8", "uint8"] = "target"
    per_channel: Literal["target", "yes", "no"] = "target"
    calibration: Literal["minmax", "percentile", "entropy"] = "minmax"

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.SHAPED, Trait.FOLDED, Trait.PORTABLE),
        provides=facts(Trait.INTEGER),
        preserves=facts(Format.ONNX, Trait.SHAPED, Trait.FOLDED, Trait.PORTABLE, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"quantization"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )

    def technique(self, target: Target | None) -> Technique:
        scheme = self.scheme(target.quantization) if target else {}
        return Technique(
            family=Family.QUANTIZATION,
            lossy=True,
            bits=8,
            granularity=("channel" if scheme["per_channel"] else "tensor") if scheme else None,
            activations=scheme.get("activation"),
            weights=scheme.get("weight"),
            symmetric_activations=scheme.get("symmetric_activation"),
            reduced_range=scheme.get("reduce_range"),
            static=True,
            simulated=False,
            prepares=False,
            fine_tuned=False,
            aggressive=False,
            unknown=frozenset() if target else _BY_TARGET,
        )

    def scheme(self, defaults: Quantization) -> dict[str, Any]:
        """The integer scheme: the target's own where an option says `target`."""
        return {
            "activation": defaults.activation if self.activation == "target" else self.activation,
            "weight": defaults.weight if self.weight == "target" else self.weight,
            "per_channel": defaults.per_channel if self.per_channel == "target" else self.per_channel == "yes",
            "symmetric_activation": defaults.symmetric_activation,
            "reduce_range": defaults.reduce_range,
        }

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.counting import described
        from edgekit.model.levels import nodes_beside, wiped_tensors
        from edgekit.model.passes.named_nodes import named_nodes
        from edgekit.model.passes.plain_gemms import plain_gemms
        from edgekit.model.passes.rewriting import rewritten
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.model.shapes import with_shapes
        from edgekit.runtimes.ort import float_tensors

        project = context.project
        scheme = self.scheme(context.target.quantization)
        split = context.splits[Data.CALIBRATION]
        limit = project.data.calibration_samples
        batches = (batch.inputs for batch in split.batches(limit=limit))
        path, prepared = context.folder / "model.onnx", context.folder / "prepared.onnx"
        save_model(with_shapes(rewritten(load_model(model.path), named_nodes, plain_gemms)), prepared)
        wiped = wiped_tensors(float_tensors(prepared, split.arrays(limit=_LOOKED_AT)[0]))
        kept = nodes_beside(load_model(prepared), wiped)
        samples = _quantize_static(
            prepared, path, _Watched(batches, limit, context.progress), scheme, self.calibration, sorted(kept)
        )
        prepared.unlink()
        strip_annotations(path)
        proto = with_shapes(load_model(path))
        _check_scales(proto)
        save_model(proto, path)
        return Outcome(
            path,
            {
                **described(path),
                **scheme,
                "calibration": self.calibration,
                "calibration_samples": samples,
                "kept_float": {name: kept[name] for name in sorted(kept)},
            },
        )


class _Watched:
    """Calibration batches that report how far they are."""

    def __init__(self, batches: Iterator["Arrays"], total: int, progress: "Progress") -> None:
        self.batches = batches
        self.total = total
        self.progress = progress
        self.samples = 0

    def __next__(self) -> "Arrays":
        batch = next(self.batches)
        self.samples += len(batch[0])
        self.progress.advanced("calibrating", self.samples, self.total, "samples")
        return batch


def _check_scales(model: "ModelProto") -> None:
    """Raises StepError for a scale that no kernel can use."""
    import numpy as np
    from onnx import numpy_helper

    constants = {each.name: each for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[1] in constants:
            scale = numpy_helper.to_array(constants[node.input[1]])
            if not (np.isfinite(scale).all() and (scale > 0).all()):
                raise StepError(
                    f"the tensor '{node.input[0]}' gets the scale {scale.ravel()[0]}: its values are not finite",
                    "mask with a finite constant such as -30 instead of -inf, or leave quantize out of the recipe",
                )


def _quantize_static(
    source: Path, path: Path, batches: _Watched, scheme: Mapping[str, Any], method: str, kept: Sequence[str]
) -> int:
    """Write the QDQ model, the nodes named in `kept` as they are, and return the number of samples that calibrated
    it."""
    import logging

    from edgekit.model.counting import inspected
    from edgekit.runtimes import ort  # noqa: F401  (switches telemetry off before the next import)

    from onnxruntime.quantization import (  # isort: skip
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    names = [each.name for each in inspected(source).inputs]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            batch = next(batches, None)
            return None if batch is None else dict(zip(names, batch, strict=True))

    kinds = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quantize_static(
            str(source),
            str(path),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=scheme["per_channel"],
            reduce_range=scheme["reduce_range"],
            activation_type=kinds[scheme["activation"]],
            weight_type=kinds[scheme["weight"]],
            calibrate_method=methods[method],
            nodes_to_exclude=list(kept),
            extra_options={"ActivationSymmetric": scheme["symmetric_activation"], "WeightSymmetric": True},
        )
    except Exception as error:
        raise StepError(
            f"ONNX Runtime could not quantize the model: {first_line(error)}", "try another calibration, or --debug"
        ) from error
    return batches.samples
