"""export: a PyTorch module to one ONNX file with a dynamic batch axis, checked against the module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.artifact import Artifact
from edgekit.errors import ModelError, StepError, first_line
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from torch import nn

    from edgekit.arrays import Arrays
    from edgekit.training.batches import Batch

_TOLERANCE = 1e-4
"""Largest difference from the module's output, relative to the largest output, that float rounding explains."""

_MIXED = 1e-2
"""As that, from the module's output in a batch of another size: products of other sizes round in other ways."""

_SAMPLES = 64


@dataclass(frozen=True)
class Export(Step):
    """Export with torch.onnx, then compare with the module on evaluation inputs at two batch sizes."""

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT),
        provides=facts(Format.ONNX, Trait.PORTABLE),
        preserves=facts(Trait.FLOAT, Trait.CONVERGED),
        data=frozenset({Data.EVALUATION}),
        settings=frozenset({"ports"}),
        packages=("torch", "onnx", "onnxscript"),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.counting import described
        from edgekit.model.reading import strip_annotations
        from edgekit.training.batches import Batch, tensor_batches
        from edgekit.training.modules import saved_module

        project = context.project
        module = saved_module(project, model)
        samples = next(tensor_batches(context.splits[Data.EVALUATION], limit=_SAMPLES))
        path = context.folder / "model.onnx"
        inputs = project.model.inputs or _forward_names(module, len(samples.inputs))
        _export(module, samples, inputs, project.model.outputs, path)
        strip_annotations(path)
        one = Batch(tuple(each[:1] for each in samples.inputs), None)
        worst = max(_difference(module, path, batch) for batch in (samples, one))
        if worst > _TOLERANCE:
            raise StepError(
                f"the exported model differs from the module by {worst:.1e} of its largest output",
                "look for behaviour that changes with the batch or with training mode in forward",
            )
        _check_batching(module, samples)
        return Outcome(path, {**described(path), "parity": worst, "parity_samples": len(samples)})


def _export(module: "nn.Module", batch: "Batch", inputs: Sequence[str], outputs: Sequence[str], path: Path) -> None:
    import logging
    import warnings

    import torch

    from edgekit.training.modules import outputs_of

    given = outputs_of(module, batch, "the model")
    if outputs and len(outputs) != len(given):
        raise ModelError(
            f"the model has {len(given)} outputs, edgekit.toml names {len(outputs)}", "correct [model] outputs"
        )
    if len(inputs) != len(batch.inputs):
        raise ModelError(
            f"the data has {len(batch.inputs)} inputs, edgekit.toml names {len(inputs)}",
            "correct [model] inputs",
        )
    names = list(outputs) or (["output"] if len(given) == 1 else [f"output_{i}" for i in range(len(given))])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                tuple(each[:2].repeat(2, *[1] * (each.ndim - 1))[:2] for each in batch.inputs),
                str(path),
                input_names=list(inputs),
                output_names=names,
                dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in batch.inputs),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:
            raise ModelError(
                f"torch.onnx cannot export the model: {first_line(error)}",
                "keep Python branches on tensor values and fixed batch sizes out of forward; --debug shows the report",
            ) from error


def _forward_names(module: "nn.Module", count: int) -> list[str]:
    """The names of forward's first parameters; numbered where it takes *args."""
    import inspect

    names = [
        name
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    return names[:count] if len(names) >= count else [f"input_{i}" for i in range(count)]


def _check_batching(module: "nn.Module", samples: "Batch") -> None:
    """Raises ModelError where what a sample gives hangs on the other samples of its batch: a device sees one."""
    import numpy as np

    from edgekit.data.batching import batch_axes
    from edgekit.model.parity import relative_difference

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
            f"the model gives for a sample alone something else than in a batch: they differ by {apart:.1e} of the "
            "largest output",
            "keep samples apart in forward: batch_first=True where the batch is the first axis, no statistics of the "
            "batch in evaluation mode",
        )


def _difference(module: "nn.Module", path: Path, batch: "Batch") -> float:
    """The largest difference between module and file, relative to the module's largest output."""
    from edgekit.model.parity import relative_difference
    from edgekit.runtimes.ort import host_outputs

    inputs = tuple(each.numpy() for each in batch.inputs)
    return relative_difference(_module_outputs(module, inputs), host_outputs(path, inputs))


def _module_outputs(module: "nn.Module", inputs: "Arrays") -> "Arrays":
    import torch

    from edgekit.training.batches import unlabelled
    from edgekit.training.modules import outputs_of

    with torch.no_grad():
        return tuple(each.numpy() for each in outputs_of(module, unlabelled(inputs), "the model"))
