"""quantize: static INT8 in QDQ form by ONNX Runtime, calibrated on the project's calibration split."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import ModelError, StepError
from edgekit.steps.searched import Backend, Made, compressed, made_by, read_by
from edgekit.target import Quantization, Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgekit.arrays import Array, Arrays
    from edgekit.metrics.calibration_metric import Calibrated
    from edgekit.model.sample import Samples
    from edgekit.numerics.compare import LostParts

_ROUNDS = 6
"""Of quantizing, each with what the one before showed to be lost left in float."""
_REWRITTEN = 0.05
"""Of the largest value: what computing in float32 instead of float16 may change."""
_SUSPICIOUS = 20.0
"""dB at an output. Eight bits leave more of ordinary networks; where there is less, the graph is walked."""
_PARTED = 10.0
"""dB at a tensor, given the inputs that it really got. A grid of 256 levels leaves less only where it reaches over 140
standard deviations: noise of a tenth of the signal is a fault, or a tensor that 8 bits do not suit."""
_NOISY = (15.0, _SUSPICIOUS)
"""dB at a tensor: where the outputs are suspicious and nothing is worse, those below stay float, too."""

_FEWER, _LOUDER = 0.9, 1.0
"""Lost parts, as a share of those before, or dB at a suspicious output: what floats must bring to be worth it."""

_BY_TARGET = frozenset({"granularity", "activations", "weights", "symmetric_activations", "reduced_range"})


@dataclass(frozen=True)
class Quantize(Step):
    """Weights and activations to 8-bit integers with the target's scheme (Jacob et al., arXiv 1712.05877)."""

    activation: Literal["target", "int8", "uint8"] = "target"
    weight: Literal["target", "int8", "uint8"] = "target"
    per_channel: Literal["target", "yes", "no"] = "target"
    calibration: Literal["minmax", "percentile", "entropy"] = "minmax"
    operators: Literal["all", "products"] = "all"
    """`products`: only convolutions and matrix products, and what passes their values on; norms and activations, which
    cost little and whose ranges are wide, stay float."""
    backend: Backend = "ort"
    """ONNX Runtime's quantizer, Intel Neural Compressor's with its tuner (extra `inc`), or the better of both by the
    project's metric on calibration samples."""
    trials: Annotated[int, Meta(ge=1)] = 10
    """Of the tuner, at most."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.FOLDED, Trait.PORTABLE),
        provides=facts(Trait.INTEGER),
        preserves=facts(Format.ONNX, Trait.FOLDED, Trait.PORTABLE, Trait.STATIC, Trait.CONVERGED),
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

    def _reason(self, defaults: Quantization) -> str:
        """Why the scheme is what it is."""
        asked = (self.activation, self.weight, self.per_channel)
        return defaults.why if set(asked) == {"target"} else "as the recipe's options say"

    def reads(self) -> Contract:
        return read_by(self.contract, self.backend)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.data.calibration_batches import compared_samples
        from edgekit.model.inspection import described
        from edgekit.model.reading import load_model
        from edgekit.numerics.clipping import read_by_branches
        from edgekit.numerics.lost_levels import mixed_tensors, nodes_beside, wiped_tensors

        scheme = self.scheme(context.target.quantization)
        path, prepared = (context.folder / name for name in ("model.onnx", "prepared.onnx"))
        compared = compared_samples(context.splits, model.path)
        given = load_model(model.path)
        source = _prepared(given, prepared, self.operators)
        expected, tensors = _prepared_run(model.path, prepared, compared.inputs)
        lost = {**mixed_tensors(source, tensors), **wiped_tensors(tensors)}
        kept = {**nodes_beside(source, lost), **read_by_branches(source)}
        work = _Work(context, given, prepared, scheme, kept, compared, expected)

        def by_compressor(one: Path, judged: "Calibrated") -> Made:
            return self._by_compressor(work, judged, one)

        made = made_by(self.backend, context, model.path, path, lambda one: self._by_runtime(work, one), by_compressor)
        for name, told in made.notes["lost_parts"].items():
            context.progress.note(f"in the output '{name}' more is noise than signal: {told}")
        prepared.unlink()
        return Outcome(
            path,
            {
                **described(path),
                **scheme,
                "why": self._reason(context.target.quantization),
                "calibration": self.calibration,
                "signal_to_noise_db": made.noise,
                "compared_on": compared.origin,
                **made.notes,
            },
        )

    def _by_runtime(self, work: "_Work", path: Path) -> Made:
        """By ONNX Runtime's quantizer; what shows to be lost is left in float the next time."""
        from edgekit.data.calibration_batches import calibration_batches
        from edgekit.quantizers.onnxruntime_static import quantized_statically

        kept, noisy = dict(work.kept), dict[str, str]()
        ranges, plain = (path.with_name(name) for name in ("ranges.json", "plain.onnx"))
        without: tuple[_Held, dict[str, str]] | None = None
        batches = calibration_batches(work.context.splits, work.context.progress)
        for number in range(1, _ROUNDS + 1):
            quantized_statically(
                work.prepared, path, batches, work.scheme, self.calibration, self.operators, kept, ranges
            )
            work.finish(path, kept, noisy)
            held = _held(work.prepared, path, work.compared.inputs, work.expected)
            more = held.more(kept)
            if not more or number == _ROUNDS:
                break
            work.context.progress.note(f"again, with {len(more)} operators in float: {next(iter(more.values()))}")
            if without is None and not more.keys() <= held.unclipped.keys():
                without = held, dict(kept)
                shutil.copyfile(path, plain)
            kept |= more
            noisy |= more
        if without is not None:
            if not (held.parted or held.is_better_than(without[0])):
                work.context.progress.note("back to integers: floats there lose as much")
                held, kept = without
                shutil.copyfile(plain, path)
            plain.unlink()
        held.check()
        ranges.unlink()
        return _looked_at(held, kept, {"calibration_samples": batches.samples})

    def _by_compressor(self, work: "_Work", judged: "Calibrated", path: Path) -> Made:
        """By Intel Neural Compressor, whose tuner puts operators back to float until the metric holds."""
        from edgekit.data.calibration_batches import calibration_batches
        from edgekit.model.reading import load_model

        kept = dict(work.kept)
        if self.operators == "products":
            kept |= _without_products(load_model(work.prepared))
        scheme = {**work.scheme, "approach": "static", "method": self.calibration}

        def finish(trial: Path) -> None:
            work.finish(trial, kept, {})

        found = compressed(work.context, judged, work.prepared, path, scheme, list(kept), self.trials, finish)
        # It calls what a ReLU leaves by the name of what goes in, so that tensors cannot be held against one another.
        found["calibration_samples"] = calibration_batches(work.context.splits, work.context.progress).total
        return _looked_at(
            _held(work.prepared, path, work.compared.inputs, work.expected), kept, found, max(found["trials"])
        )


@dataclass(frozen=True)
class _Work:
    """What is to be quantized, and how it is looked at."""

    context: Context
    given: "ModelProto"
    """The float model that came."""
    prepared: Path
    """The same in the quantizers' form."""
    scheme: dict[str, Any]
    kept: dict[str, str]
    """What stays float whatever a quantizer makes of it, and why."""
    compared: "Samples"
    expected: "Arrays"
    """What the prepared file makes of those, as it is written."""

    def finish(self, path: Path, kept: Mapping[str, str], noisy: Mapping[str, str]) -> None:
        """Put what a quantizer wrote into the form that the runtime has most kernels for. Raises StepError where
        nothing is on integers, or a scale is none."""
        from edgekit.model.passes.integer_activations import integer_activations
        from edgekit.model.passes.integer_moves import integer_moves
        from edgekit.model.passes.rewriting import rewritten
        from edgekit.model.reading import load_model, save_model, take_annotations_off
        from edgekit.model.shapes import with_shapes

        proto = load_model(path)
        take_annotations_off(proto, self.given)
        proto = with_shapes(rewritten(proto, integer_activations, integer_moves))
        _check_quantized(proto, kept, noisy)
        _check_scales(proto)
        save_model(proto, path)


def _looked_at(held: "_Held", kept: Mapping[str, str], found: Mapping[str, Any], figure: float | None = None) -> Made:
    kept_float = {name: kept[name] for name in sorted(kept)}
    lost = {name: str(told) for name, told in held.lost_parts.items()}
    return Made({"kept_float": kept_float, "lost_parts": lost, **found}, held.outputs, figure)


def _without_products(model: "ModelProto") -> dict[str, str]:
    """The operators that compute and are no products, which pass no values on."""
    from edgekit.model.operators import PRODUCTS
    from edgekit.quantizers.onnxruntime_static import PASSING

    kinds = {*PRODUCTS, *PASSING}
    return {node.name: "no product" for node in model.graph.node if node.op_type not in kinds}


def _prepared(given: "ModelProto", prepared: Path, operators: str) -> "ModelProto":
    """The model in the form that the quantizer wants, written to `prepared`: float32, Gemms without factors, every node
    by its name, in an opset whose integers may have a scale for each channel; with `all` operators in integers, in
    those that have integer kernels."""
    from edgekit.model.passes.convert_to_float32 import single_precision
    from edgekit.model.passes.fold_gemm_factors import plain_gemms
    from edgekit.model.passes.integer_forms import integer_forms
    from edgekit.model.passes.name_nodes import named_nodes
    from edgekit.model.passes.rewriting import rewritten
    from edgekit.model.reading import save_model
    from edgekit.model.shapes import with_shapes
    from edgekit.model.versions import CHANNEL_SCALES, raised

    model = _with_gelus(given)
    plain = with_shapes(rewritten(raised(model, CHANNEL_SCALES), single_precision, named_nodes, plain_gemms))
    source = with_shapes(rewritten(plain, integer_forms)) if operators == "all" else plain
    save_model(source, prepared)
    return source


def _prepared_run(path: Path, prepared: Path, inputs: "Arrays") -> tuple["Arrays", dict[str, "Array"]]:
    """What the prepared file makes of the inputs as it is written, and its tensors on the way there. Raises StepError
    where preparing changed what the file at `path` computes."""
    from edgekit.numerics.compare import relative_difference
    from edgekit.runtimes.ort import host_outputs, outputs_and_tensors

    after, tensors = outputs_and_tensors(prepared, inputs)
    apart = relative_difference(host_outputs(path, inputs, optimize=False), after)
    if apart > _REWRITTEN:
        raise StepError(
            f"put in the quantizer's form, the model gives something else: {apart:.1e} of the largest output apart",
            "leave quantize out of the recipe, and report the model",
        )
    return after, tensors


def _with_gelus(model: "ModelProto") -> "ModelProto":
    """The model with what it writes out as one Gelu where there is such an operator, or can be."""
    from edgekit.model.operators import operator_counts
    from edgekit.model.passes.fuse_gelu import OPSET, whole_gelus
    from edgekit.model.passes.rewriting import rewritten
    from edgekit.model.versions import raised

    if not operator_counts(model)["Erf"]:
        return model
    try:
        whole = rewritten(raised(model, OPSET), whole_gelus)
    except ModelError:
        return model
    return whole if operator_counts(whole)["Gelu"] else model


@dataclass(frozen=True)
class _Held:
    """A quantized file held against the float file that it came from, both as they are written: kernels that saturate
    on this machine are no fault of the file."""

    outputs: dict[str, float | None]
    """The signal-to-noise of each float output, in dB; None where nothing differs."""
    lost_parts: dict[str, "LostParts"]
    parted: dict[str, str]
    """The tensors in which both part, and the operators that made them, in the graph's order."""
    unclipped: dict[str, str]
    """Nodes that are to stay float since integers do not clip as they do, and why."""
    remedies: tuple[dict[str, str], ...]
    """Nodes that are to stay float for what is lost, and why; where the first did not help, the next."""
    parted_nodes: frozenset[str]
    """Those around the tensors in which both part."""

    def more(self, kept: Collection[str]) -> dict[str, str]:
        """The nodes that are to stay float beside those `kept` so; none where that would not help."""
        if self.parted and self.parted_nodes <= set(kept):
            return {}
        remedies = (self.unclipped, *self.remedies)
        news = ({name: told for name, told in each.items() if name not in kept} for each in remedies)
        return next((each for each in news if each), {})

    def is_better_than(self, other: "_Held") -> bool:
        """Whether noticeably less is lost."""
        return (
            len(self.parted) < len(other.parted)
            or self._lost() < _FEWER * other._lost()
            or any(_short(noise) > _short(self.outputs[name]) + _LOUDER for name, noise in other.outputs.items())
        )

    def _lost(self) -> int:
        return sum(each.count for each in self.lost_parts.values())

    def check(self) -> None:
        """Raises StepError where both part still."""
        if self.parted:
            name, told = next(iter(self.parted.items()))
            raise StepError(
                f"quantizing changes what the model computes: '{name}', {told}",
                "leave quantize out of the recipe, or report the model: integers do not explain this",
            )


def _held(source: Path, path: Path, inputs: "Arrays", expected: "Arrays") -> _Held:
    """`expected` is what the source makes of the inputs, as it is written."""
    from edgekit.model.reading import load_model
    from edgekit.numerics.clipping import lost_clipping
    from edgekit.numerics.compare import lost_parts, signal_to_noise
    from edgekit.numerics.layerwise import local_noise
    from edgekit.numerics.lost_levels import nodes_behind, nodes_beside
    from edgekit.runtimes.ort import host_outputs

    model, quantized = load_model(source), load_model(path)
    given = host_outputs(path, inputs, optimize=False)
    outputs: dict[str, float | None] = {}
    parts: dict[str, LostParts] = {}
    for port, left, right in zip(model.graph.output, expected, given, strict=True):
        if left.dtype.kind == "f":
            noise = signal_to_noise(left, right)
            outputs[port.name] = None if noise == float("inf") else noise
            if lost := lost_parts(left, right):
                parts[port.name] = lost
    rounded = {node.input[0] for node in quantized.graph.node if node.op_type == "QuantizeLinear"}
    suspicious = any(noise is not None and noise < _SUSPICIOUS for noise in outputs.values())
    noises = local_noise(source, path, inputs) if parts or suspicious else {}
    makers = {name: node.op_type for node in model.graph.node for name in node.output}

    def below(limit: float) -> dict[str, str]:
        return {
            name: f"{makers.get(name, 'an input')}: {noise:.1f} dB of signal to noise"
            for name, noise in noises.items()
            if noise < limit
        }

    def around(tensors: dict[str, str]) -> dict[str, str]:
        return {**nodes_behind(model, tensors, rounded), **nodes_beside(model, tensors)}

    beside_lost = nodes_beside(model, {name: f"parts lost: {told}" for name, told in parts.items()})
    parted = below(_PARTED)
    around_parted = around(parted)
    remedies = [beside_lost, around_parted]
    if suspicious:
        remedies += [around(below(limit)) for limit in _NOISY]
    unclipped = lost_clipping(model, quantized)
    return _Held(outputs, parts, parted, unclipped, tuple(remedies), frozenset(around_parted))


def _short(noise: float | None) -> float:
    """By how many dB an output is suspicious."""
    return 0.0 if noise is None else max(0.0, _SUSPICIOUS - noise)


def _check_quantized(model: "ModelProto", kept: Mapping[str, str], noisy: Mapping[str, str]) -> None:
    """Raises StepError where every operator stayed float: some are `kept` so, among them the `noisy` that were not."""
    from onnx import AttributeProto

    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        return
    graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    inner = sorted({node.op_type for node in model.graph.node for each in node.attribute if each.type in graphs})
    if inner and not noisy:
        raise StepError(
            f"nothing here can be in integers: the network lies inside {', '.join(inner)}, where the quantizer does "
            "not look",
            "leave quantize out of the recipe, or export the branch that the device runs",
        )
    why = next((f": {told}" for each in (noisy, kept) for told in each.values()), "")
    raise StepError(f"nothing here can be in integers{why}", "leave quantize out of the recipe")


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
