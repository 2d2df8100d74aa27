"""export: a PyTorch module to one ONNX file with a dynamic batch axis, checked against the module."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import ModelError, StepError, first_line
from edgekit.process_state import quiet_loggers
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from torch import Tensor, nn

    from edgekit.arrays import Arrays
    from edgekit.training.batches import TensorBatch

_TOLERANCE = 1e-4
"""The largest difference from the module's output, relative to the largest output, that rounding explains in an
ordinary model. If there is more, the tolerance is measured."""
_HALF_TOLERANCE = 1e-2
"""The same for half-precision weights: every operator rounds, and operators are merged."""

_MIXED = 1e-2
"""The same against the module's output in a batch of another size: products of other sizes round differently."""

_SAMPLES = 64


@dataclass(frozen=True)
class Export(Step):
    """Export with torch.onnx, then compare with the module on evaluation inputs at two batch sizes."""

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT),
        provides=facts(Format.ONNX, Trait.PORTABLE, Trait.STATIC),
        preserves=facts(Trait.FLOAT, Trait.CONVERGED),
        data=frozenset({Data.EVALUATION}),
        settings=frozenset({"ports"}),
        packages=("torch", "onnx", "onnxscript"),
    )
    reference_order = 0

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.inspection import file_notes
        from edgekit.model.reading import strip_annotations
        from edgekit.training.batches import TensorBatch, tensor_batches
        from edgekit.training.modules import saved_module

        project = context.project
        module = saved_module(project, model)
        samples = next(tensor_batches(context.splits[Data.EVALUATION], limit=_SAMPLES))
        path = context.folder / "model.onnx"
        inputs = project.model.inputs or _forward_names(module, len(samples.inputs))
        _export(module, samples, inputs, project.model.outputs, path, batch="batch")
        singles = [
            TensorBatch(tuple(each[i : i + 1] for each in samples.inputs), None) for i in range(min(len(samples), 4))
        ]
        compared = [samples, singles[0]]
        if _fixes_batch(path):
            context.progress.note(
                "forward fixes the batch size (len(x) does, x.shape[0] does not): the file takes one sample"
            )
            _export(module, singles[0], inputs, project.model.outputs, path, batch=None)
            compared = singles
        strip_annotations(path)
        worst = 0.0
        for batch in compared:
            apart = _difference(module, path, batch)
            if apart > _TOLERANCE and apart > _tolerance(module, batch):
                raise StepError(
                    f"the exported model differs from the module by {apart:.1e} of its largest output",
                    "check forward for behaviour that depends on the batch or on training mode",
                )
            worst = max(worst, apart)
        _check_batching(module, samples)
        return Outcome(path, {**file_notes(path), "parity": worst, "parity_samples": len(samples)})


def _tolerance(module: "nn.Module", batch: "TensorBatch") -> float:
    """The difference on a batch that rounding explains: by the precision of the weights, or by the module's difference
    from itself in double precision."""
    import torch

    from edgekit.numerics.tolerance import float_tolerance
    from edgekit.training.modules import deep_copy

    if any(each.dtype in (torch.float16, torch.bfloat16) for each in module.parameters()):
        return _HALF_TOLERANCE
    inputs = tuple(each.numpy() for each in batch.inputs)
    doubled = tuple(each.astype("float64") if each.dtype.kind == "f" else each for each in inputs)
    try:
        exact = _module_outputs(deep_copy(module).double(), doubled)
    except ModelError:  # its forward requires float32
        return _TOLERANCE
    return float_tolerance(exact, _module_outputs(module, inputs))


def _fixes_batch(path: Path) -> bool:
    from edgekit.model.ports import fixed_batch, inputs_of
    from edgekit.model.reading import load_model

    return any(fixed_batch(port.shape) for port in inputs_of(load_model(path).graph))


def _export(
    module: "nn.Module",
    samples: "TensorBatch",
    inputs: Sequence[str],
    outputs: Sequence[str],
    path: Path,
    *,
    batch: str | None,
) -> None:
    """Write the file with first axes that are dynamic with the name `batch`, or as long as the samples."""
    import warnings

    import torch

    from edgekit.model.passes.port_names import NamePortsPass
    from edgekit.model.passes.rewriting import rewrite
    from edgekit.model.reading import load_model, save_model
    from edgekit.training.modules import outputs_of

    given = outputs_of(module, samples)
    if outputs and len(outputs) != len(given):
        raise ModelError(
            f"the model has {len(given)} outputs, but edgekit.toml names {len(outputs)}", "correct [model] outputs"
        )
    if len(inputs) != len(samples.inputs):
        raise ModelError(
            f"the data has {len(samples.inputs)} inputs, but edgekit.toml names {len(inputs)}",
            "correct [model] inputs",
        )
    names = list(outputs) or [f"{name}_output" if name in inputs else name for name in given.names]
    if twice := sorted(name for name in {*inputs, *names} if [*inputs, *names].count(name) > 1):
        raise ModelError(f"two inputs or outputs have the name '{twice[0]}'", "correct [model] inputs and outputs")
    # torch.export treats an axis of length 1 as constant.
    given_inputs = tuple(each[:2].repeat(2, *[1] * (each.ndim - 1))[:2] for each in samples.inputs)
    with warnings.catch_warnings(), _exact_masks(), quiet_loggers("torch.onnx", "onnxscript"):
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                given_inputs if batch else samples.inputs,
                str(path),
                dynamic_shapes=tuple({0: torch.export.Dim(batch)} for _ in samples.inputs) if batch else None,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:
            raise ModelError(
                f"torch.onnx cannot export the model: {first_line(error.__cause__ or error)}",
                "remove Python branches on tensor values and fixed batch sizes from forward; --debug shows the report",
            ) from error
    save_model(rewrite(load_model(path), NamePortsPass(inputs, names)), path)


@contextmanager
def _exact_masks() -> Iterator[None]:
    """Let PyTorch's transformer layers use an attention mask as it is. Otherwise they inspect its values to see whether
    it is causal, which cannot be exported."""
    from torch.nn.modules import transformer

    def is_exactly_causal(mask: "Tensor | None", is_causal: bool | None = None, size: int | None = None) -> bool:
        del mask, size
        return bool(is_causal)

    looks = transformer._detect_is_causal_mask
    transformer._detect_is_causal_mask = is_exactly_causal
    try:
        yield
    finally:
        transformer._detect_is_causal_mask = looks


def _forward_names(module: "nn.Module", count: int) -> list[str]:
    """The names of forward's first parameters, numbered if it takes *args."""
    import inspect

    names = [
        name
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return names[:count] if len(names) >= count else [f"input_{i}" for i in range(count)]


def _check_batching(module: "nn.Module", samples: "TensorBatch") -> None:
    """Raises ModelError if a sample's output depends on other samples of its batch, which a device does not have."""
    import numpy as np

    from edgekit.data.batching import batch_axes
    from edgekit.numerics.compare import relative_difference

    inputs = tuple(each.numpy() for each in samples.inputs)
    whole, one = _module_outputs(module, inputs), _module_outputs(module, tuple(each[:1] for each in inputs))
    axes = batch_axes(lambda given: _module_outputs(module, given), inputs)
    first = [
        given if axis is None else np.take(given, range(alone.shape[axis]), axis)
        for given, alone, axis in zip(whole, one, axes, strict=True)
    ]
    apart = relative_difference(one, first)
    if apart > _MIXED:
        raise ModelError(
            f"a sample's outputs depend on the batch: computed alone and in a batch they differ by {apart:.1e} of the "
            "largest output",
            "compute each sample independently in forward: batch_first=True if the batch is the first axis, no "
            "statistics of the "
            "batch in evaluation mode",
        )


def _difference(module: "nn.Module", path: Path, batch: "TensorBatch") -> float:
    """The largest difference between module and file, relative to the module's largest output."""
    from edgekit.numerics.compare import relative_difference
    from edgekit.runtimes.ort import host_outputs

    inputs = tuple(each.numpy() for each in batch.inputs)
    return relative_difference(_module_outputs(module, inputs), host_outputs(path, inputs))


def _module_outputs(module: "nn.Module", inputs: "Arrays") -> "Arrays":
    import torch

    from edgekit.training.batches import unlabelled_batch
    from edgekit.training.modules import outputs_of

    with torch.no_grad():
        return tuple(each.numpy() for each in outputs_of(module, unlabelled_batch(inputs)))
