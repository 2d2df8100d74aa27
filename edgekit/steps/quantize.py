"""quantize: static INT8 in QDQ form by ONNX Runtime, calibrated on the project's calibration split."""

import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import OUTLIERS, Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import ModelError, StepError
from edgekit.steps.searched import Backend, QuantizedFile, contract_with_search, run_backend, search_compressor
from edgekit.target import Quantization, Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Array, Arrays
    from edgekit.metrics.calibration_metric import CalibrationMetric
    from edgekit.model.sample import ComparisonSamples
    from edgekit.quantizers.float_fallback import QuantizationLoss

_ROUNDS = 6
"""The most rounds of quantization, each with the losses of the previous one left in float."""
_REWRITTEN = 0.05
"""Relative to the largest value: what computing in float32 instead of float16 may change."""
_BY_TARGET = frozenset({"granularity", "activations", "weights", "symmetric_activations", "reduced_range"})


@dataclass(frozen=True)
class Quantize(Step):
    """Quantize weights and activations to 8-bit integers with the target's scheme (Jacob et al., arXiv 1712.05877)."""

    activation: Literal["target", "int8", "uint8"] = "target"
    weight: Literal["target", "int8", "uint8"] = "target"
    per_channel: Literal["target", "yes", "no"] = "target"
    calibration: Literal["minmax", "percentile", "entropy"] = "minmax"
    operators: Literal["all", "conv-matmul"] = "all"
    """`conv-matmul`: only convolutions and matrix products, and operators that pass their values on. Norms and
    activations, which take little time and have wide ranges, stay float."""
    backend: Backend = "ort"
    """ONNX Runtime's quantizer, Intel Neural Compressor's with its tuner (extra `inc`), or the better of both by the
    project's metric on calibration samples."""
    trials: Annotated[int, Meta(ge=1)] = 10
    """The most trials of the tuner."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.FOLDED, Trait.PORTABLE),
        provides=facts(Trait.INTEGER),
        preserves=facts(Format.ONNX, Trait.FOLDED, Trait.PORTABLE, Trait.STATIC, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"quantization"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )
    sections = ("scheme",)
    former_values = {"operators": {"products": "conv-matmul"}}

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
            clipping=None if self.calibration == "minmax" else self.calibration,
            static=True,
            simulated=False,
            prepares=False,
            fine_tuned=False,
            aggressive=False,
            unknown=frozenset() if target else _BY_TARGET,
        )

    def scheme(self, defaults: Quantization) -> dict[str, Any]:
        """The integer scheme: the target's own for options set to `target`."""
        return {
            "activation": defaults.activation if self.activation == "target" else self.activation,
            "weight": defaults.weight if self.weight == "target" else self.weight,
            "per_channel": defaults.per_channel if self.per_channel == "target" else self.per_channel == "yes",
            "symmetric_activation": defaults.symmetric_activation,
            "reduce_range": defaults.reduce_range,
        }

    def _reason(self, defaults: Quantization) -> str:
        """The reason for the scheme."""
        asked = (self.activation, self.weight, self.per_channel)
        return defaults.why if set(asked) == {"target"} else "as set in the recipe's options"

    def reads(self) -> Contract:
        return contract_with_search(self.contract, self.backend)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.data.calibration_batches import first_calibration_samples
        from edgekit.model.inspection import file_notes
        from edgekit.model.reading import load_model
        from edgekit.numerics.clipping import read_by_branches
        from edgekit.numerics.lost_levels import collapsed_tensors, mixed_range_tensors, nodes_beside

        scheme = self.scheme(context.target.quantization)
        path, prepared = (context.folder / name for name in ("model.onnx", "prepared.onnx"))
        compared = first_calibration_samples(context.splits, model.path)
        given = load_model(model.path)
        source = _prepare(given, prepared, self.operators)
        expected, tensors = _run_prepared(model.path, prepared, compared.inputs)
        lost = {**mixed_range_tensors(source, tensors), **collapsed_tensors(tensors)}
        kept = {**nodes_beside(source, lost), **read_by_branches(source)}
        work = _StaticQuantization(context, given, prepared, scheme, kept, compared, expected)

        def by_compressor(one: Path, judged: "CalibrationMetric") -> QuantizedFile:
            return self._by_compressor(work, judged, one)

        made = run_backend(
            self.backend, context, model.path, path, lambda one: self._by_runtime(work, one), by_compressor
        )
        for name, entry in made.notes["lost_parts"].items():
            context.progress.note(f"the quantization noise in the output '{name}' exceeds the signal: {entry}")
        prepared.unlink()
        return Outcome(
            path,
            {
                **file_notes(path),
                **scheme,
                "why": self._reason(context.target.quantization),
                "calibration": self.calibration,
                "signal_to_noise_db": made.noise,
                "compared_on": compared.origin,
                **made.notes,
            },
        )

    def _by_runtime(self, work: "_StaticQuantization", path: Path) -> QuantizedFile:
        """Use ONNX Runtime's quantizer. What a round loses is left in float in the next one."""
        from edgekit.data.calibration_batches import calibration_batches
        from edgekit.quantizers.float_fallback import measure_loss
        from edgekit.quantizers.onnxruntime_static import quantize_static
        from edgekit.runtimes.ort import session

        kept, noisy = dict(work.kept), dict[str, str]()
        ranges, plain = (path.with_name(name) for name in ("ranges.json", "plain.onnx"))
        without: tuple[QuantizationLoss, dict[str, str]] | None = None
        batches = calibration_batches(work.context.splits, work.context.progress)

        def quantize(floats: Collection[str]) -> None:
            quantize_static(work.prepared, path, batches, work.scheme, self.calibration, self.operators, floats, ranges)
            session(path)

        for number in range(1, _ROUNDS + 1):
            try:
                quantize(kept)
            except (StepError, ModelError):
                failing = work.failing_operators(quantize, kept) if ranges.exists() else {}
                if not failing:
                    raise
                kept |= failing
                quantize(kept)
            try:
                work.finish(path, kept, noisy)
            except StepError as error:
                if outliers := batches.outliers():
                    raise StepError(f"{error.message}; {outliers[0]}", error.hint) from error
                raise
            loss = measure_loss(work.prepared, path, work.compared.inputs, work.expected)
            more = loss.next_fallback(kept)
            if not more or number == _ROUNDS:
                break
            work.context.progress.note(
                f"quantizing again with {len(more)} operators in float: {next(iter(more.values()))}"
            )
            if without is None and not loss.required_fallback(kept):
                without = loss, dict(kept)
                shutil.copyfile(path, plain)
            kept |= more
            noisy |= more
        if without is not None:
            if not (loss.defects or loss.is_better_than(without[0])):
                work.context.progress.note("quantized again: floats there lose as much")
                loss, kept = without
                shutil.copyfile(plain, path)
            plain.unlink()
        loss.check()
        ranges.unlink()
        return _with_loss(loss, kept, {"calibration_samples": batches.samples, OUTLIERS: batches.outliers()})

    def _by_compressor(self, work: "_StaticQuantization", judged: "CalibrationMetric", path: Path) -> QuantizedFile:
        """Use Intel Neural Compressor, whose tuner puts operators back to float until the metric holds."""
        from edgekit.data.calibration_batches import calibration_batches
        from edgekit.model.reading import load_model
        from edgekit.quantizers.float_fallback import measure_loss

        kept = dict(work.kept)
        if self.operators == "conv-matmul":
            kept |= _without_products(load_model(work.prepared))
        scheme = {**work.scheme, "approach": "static", "method": self.calibration}

        def finish(trial: Path) -> None:
            work.finish(trial, kept, {})

        found = search_compressor(work.context, judged, work.prepared, path, scheme, list(kept), self.trials, finish)
        # It names a ReLU's output like its input, so that tensors cannot be compared by name.
        found["calibration_samples"] = calibration_batches(work.context.splits, work.context.progress).total
        return _with_loss(
            measure_loss(work.prepared, path, work.compared.inputs, work.expected), kept, found, max(found["trials"])
        )


@dataclass(frozen=True)
class _StaticQuantization:
    """A model to quantize, and the samples on which results are compared."""

    context: Context
    given: "ModelProto"
    """The given float model."""
    prepared: Path
    """The model in the form that quantizers take."""
    scheme: dict[str, Any]
    kept: dict[str, str]
    """Nodes that stay float with every quantizer, and why."""
    compared: "ComparisonSamples"
    expected: "Arrays"
    """The prepared file's outputs for the samples, without optimization."""

    def failing_operators(self, quantize: Callable[[Collection[str]], None], kept: Collection[str]) -> dict[str, str]:
        """The operators on which the quantizer or the runtime fails, in addition to those `kept` in float, and why;
        empty if none were found. Raises nothing for failures of `quantize`."""
        from edgekit.model.reading import load_model
        from edgekit.quantizers.failing_operators import failing_operators

        def attempt(floats: Collection[str]) -> str:
            try:
                quantize([*kept, *floats])
            except (StepError, ModelError) as error:
                return error.message
            return ""

        nodes = [node for node in load_model(self.prepared).graph.node if node.name not in kept]
        makers = {name: node.name for node in nodes for name in node.output}

        def candidates(message: str) -> list[str]:
            """Those that the message names, those before them, and all others."""
            named = [node for node in nodes if any(f"{mark}{node.name}{mark}" in message for mark in "'\"")]
            before = [makers[name] for node in named for name in node.input if name in makers]
            return list(dict.fromkeys([*(node.name for node in named), *before, *(node.name for node in nodes)]))

        found = failing_operators(candidates, attempt)
        for name, why in found.items():
            self.context.progress.note(f"'{name}' stays in float: {why}")
        return found

    def finish(self, path: Path, kept: Mapping[str, str], noisy: Mapping[str, str]) -> None:
        """Rewrite a quantizer's output into the form with the most integer kernels. Raises StepError if nothing is
        quantized, or if a scale is invalid."""
        from edgekit.model.passes.integer_activations import IntegerActivationsPass
        from edgekit.model.passes.integer_moves import IntegerMovesPass
        from edgekit.model.passes.rewriting import rewrite
        from edgekit.model.reading import load_model, save_model, take_annotations_off
        from edgekit.model.shapes import with_shapes

        proto = load_model(path)
        take_annotations_off(proto, self.given)
        proto = with_shapes(rewrite(proto, IntegerActivationsPass(), IntegerMovesPass()))
        _check_quantized(proto, kept, noisy)
        _check_scales(proto)
        save_model(proto, path)


def _with_loss(
    loss: "QuantizationLoss", kept: Mapping[str, str], found: Mapping[str, Any], figure: float | None = None
) -> QuantizedFile:
    kept_float = {name: kept[name] for name in sorted(kept)}
    lost = {name: str(entry) for name, entry in loss.lost_parts.items()}
    notes = {"signal_to_noise_as_written_db": loss.as_written, "kept_float": kept_float, "lost_parts": lost}
    return QuantizedFile({**notes, **found}, loss.outputs, figure)


def _without_products(model: "ModelProto") -> dict[str, str]:
    """The operators that compute, other than products and those that pass values on."""
    from edgekit.model.operators import PRODUCTS
    from edgekit.quantizers.onnxruntime_static import PASSING

    kinds = {*PRODUCTS, *PASSING}
    return {node.name: "no product" for node in model.graph.node if node.op_type not in kinds}


def _prepare(given: "ModelProto", prepared: Path, operators: str) -> "ModelProto":
    """Write the model to `prepared` in the form that the quantizer takes: float32, Gemm without factors, named nodes,
    an opset with per-channel scales and, for `all` operators, forms with integer kernels."""
    from edgekit.model.passes.convert_to_float32 import ConvertToFloat32Pass
    from edgekit.model.passes.fold_gemm_factors import FoldGemmFactorsPass
    from edgekit.model.passes.integer_forms import IntegerFormsPass
    from edgekit.model.passes.name_nodes import NameNodesPass
    from edgekit.model.passes.rewriting import rewrite
    from edgekit.model.reading import save_model
    from edgekit.model.shapes import with_shapes
    from edgekit.model.versions import CHANNEL_SCALES, upgrade_opset

    model = _with_gelus(given)
    plain = with_shapes(
        rewrite(upgrade_opset(model, CHANNEL_SCALES), ConvertToFloat32Pass(), NameNodesPass(), FoldGemmFactorsPass())
    )
    source = with_shapes(rewrite(plain, IntegerFormsPass())) if operators == "all" else plain
    save_model(source, prepared)
    return source


def _run_prepared(path: Path, prepared: Path, inputs: "Arrays") -> tuple["Arrays", dict[str, "Array"]]:
    """The prepared file's outputs without optimization, and its inner tensors. Raises StepError if preparing changed
    the outputs of the file at `path`."""
    from edgekit.numerics.compare import relative_difference
    from edgekit.runtimes.ort import host_outputs, outputs_and_tensors

    after, tensors = outputs_and_tensors(prepared, inputs)
    apart = relative_difference(host_outputs(path, inputs, optimize=False), after)
    if apart > _REWRITTEN:
        raise StepError(
            f"conversion to the quantizer's form changes the model's outputs by {apart:.1e} of the largest value",
            "remove quantize from the recipe, and report the model",
        )
    return after, tensors


def _with_gelus(model: "ModelProto") -> "ModelProto":
    """The model with Gelu fused into one operator, if its opset has it or can be upgraded."""
    from edgekit.model.operators import operator_counts
    from edgekit.model.passes.fuse_gelu import OPSET, FuseGeluPass
    from edgekit.model.passes.rewriting import rewrite
    from edgekit.model.versions import upgrade_opset

    if not operator_counts(model)["Erf"]:
        return model
    try:
        whole = rewrite(upgrade_opset(model, OPSET), FuseGeluPass())
    except ModelError:
        return model
    return whole if operator_counts(whole)["Gelu"] else model


def _check_quantized(model: "ModelProto", kept: Mapping[str, str], noisy: Mapping[str, str]) -> None:
    """Raises StepError if no weight became an integer; some operators are `kept` in float, among them the `noisy` that
    were quantized before."""
    from onnx import AttributeProto

    from edgekit.model.facts import observed_facts

    if Trait.INTEGER in observed_facts(model):
        return
    graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    inner = sorted({node.op_type for node in model.graph.node for each in node.attribute if each.type in graphs})
    if inner and not noisy:
        raise StepError(
            f"no operator can be quantized: the network is inside {', '.join(inner)}, which the quantizer does "
            "not enter",
            "remove quantize from the recipe, or export the branch that the device runs",
        )
    reasons = (f": {entry}" for each in (noisy, kept) for entry in each.values())
    why = next(reasons, ": no operator has weights that the quantizer stores as integers")
    raise StepError(f"no operator can be quantized{why}", "remove quantize from the recipe: deploy the float model")


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
                    f"the tensor '{node.input[0]}' has the scale {scale.ravel()[0]}: its values are not finite",
                    "mask with a finite constant such as -30 instead of -inf, or remove quantize from the recipe",
                )
