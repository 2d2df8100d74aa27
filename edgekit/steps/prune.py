"""prune: take whole channels out of a module, then fine-tune what is left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from edgekit.artifact import Artifact
from edgekit.errors import StepError
from edgekit.steps.finetuned import FineTunedStep
from edgekit.steps.step import Context, Outcome
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Role, Trait

if TYPE_CHECKING:
    from torch import nn

    from edgekit.training.batches import Batch


@dataclass(frozen=True)
class Prune(FineTunedStep):
    """Structured pruning by group magnitude along the dependency graph (Fang et al., DepGraph, arXiv 2301.12900)."""

    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    """The share of each layer's channels to take; what stays is the nearest multiple of the target's own."""

    contract = replace(
        FineTunedStep.contract,
        preserves=FineTunedStep.contract.preserves - {Trait.UNCUT},
        target=frozenset({"channel_multiple"}),
        packages=("torch", "torch-pruning"),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.PRUNING,
            lossy=True,
            sparsity=self.ratio,
            structure="channels",
            gradual=False,
            fine_tuned=self.epochs > 0,
            batch_norm=self.batch_norm,
            aggressive=self.ratio >= 0.5 and not self.epochs,
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        import torch_pruning

        from edgekit.training.batches import tensor_example
        from edgekit.training.finetune import fine_tuned
        from edgekit.training.modules import held_by, saved_module

        project = context.project
        module = saved_module(project, model)
        example = tensor_example(context.splits[Data.TRAIN])
        macs_before, parameters_before = torch_pruning.utils.count_ops_and_params(module, example.inputs)
        self._cut(module, example, context.target.channel_multiple)
        macs, parameters = torch_pruning.utils.count_ops_and_params(module, example.inputs)
        if parameters >= parameters_before:
            raise StepError(
                f"prune found nothing to take at ratio {self.ratio} with channels in multiples of "
                f"{context.target.channel_multiple}",
                "raise the ratio, or leave the step out: the student is small already",
            )
        outcome = fine_tuned(module, held_by(model), self.tuning, context, f"fine-tuning the pruned {context.role}")
        return Outcome(
            outcome.path,
            {
                **outcome.notes,
                "parameters_before": int(parameters_before),
                "parameters": int(parameters),
                "macs_before": int(macs_before),
                "macs": int(macs),
            },
        )

    def _cut(self, module: "nn.Module", example: "Batch", channel_multiple: int) -> None:
        """Remove the channels of least group magnitude from `module`, in place."""
        import torch_pruning

        for parameter in module.parameters():
            parameter.requires_grad_(True)
        pruner = torch_pruning.pruner.BasePruner(
            module,
            example.inputs,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            global_pruning=False,
            pruning_ratio=0.0,
            pruning_ratio_dict=_ratios(module, self.ratio, channel_multiple),
            ignored_layers=_output_layers(module, example),
        )
        pruner.step()


def kept_channels(channels: int, ratio: float, multiple: int) -> int:
    """How many of a layer's channels stay: the nearest multiple to their share, at least one multiple, never more than
    there are."""
    wanted = max(round(channels * (1 - ratio) / multiple), 1) * multiple
    return min(wanted, channels)


def _ratios(module: "nn.Module", ratio: float, multiple: int) -> dict["nn.Module", float]:
    """Each layer's own ratio: the pruner would round what stays down to a multiple: half of a layer for 1 %."""
    ratios: dict[nn.Module, float] = {}
    for layer in module.modules():
        channels = getattr(layer, "out_channels", None) or getattr(layer, "out_features", None)
        if isinstance(channels, int):
            # The pruner keeps int(channels * (1 - ratio)): a hair more than the whole number survives the rounding.
            ratios[layer] = max(1 - (kept_channels(channels, ratio, multiple) + 0.01) / channels, 0.0)
    return ratios


def _output_layers(module: "nn.Module", example: "Batch") -> list[Any]:
    """The layers whose channels are the module's outputs, or that cannot lose one: found by trying on a copy."""
    import torch
    import torch_pruning
    from torch import nn

    from edgekit.training.modules import deep_copy, outputs_of

    def shapes(each: nn.Module) -> list[torch.Size]:
        with torch.no_grad():
            return [output.shape for output in outputs_of(each, example, "the model")]

    expected = shapes(module)
    kept = []
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear | nn.ConvTranspose2d):
            continue
        trial = deep_copy(module)
        root = trial.get_submodule(name)
        try:
            graph = torch_pruning.DependencyGraph().build_dependency(trial, example.inputs)
            prune = graph.get_pruner_of_module(root).prune_out_channels
            graph.get_pruning_group(root, prune, idxs=[0]).prune()
            if shapes(trial) == expected:
                continue
        except Exception:  # whatever goes wrong on the copy, the layer is not safe to cut
            pass
        kept.append(layer)
    return kept
