"""prune: remove whole channels and attention heads from a module, then fine-tune the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Outcome
from edgekit.contract.technique import Family, Technique, Units
from edgekit.errors import StepError
from edgekit.steps.finetuned import FineTunedStep
from edgekit.target import Target
from edgekit.traits import Data, Role, Trait

if TYPE_CHECKING:
    from edgekit.pruning.channels import PruningResult
    from edgekit.pruning.share import PrunableUnits
    from edgekit.training.trained import Training

_CUTS = 4


@dataclass(frozen=True)
class Prune(FineTunedStep):
    """Structured pruning: channels by group magnitude along the dependency graph (Fang et al., DepGraph, arXiv
    2301.12900), attention by whole heads (Michel, Levy, Neubig, arXiv 1905.10650)."""

    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    """The share of each layer's channels, and of each attention's heads, to remove. The kept channels are rounded to
    the target's multiple."""
    units: Units = "all"
    """What to remove: both heads and channels of other layers, or only one of them."""
    gradual: bool = False
    """Remove in four steps with a quarter of the epochs after each, the share growing as 1 - (1 - t)^3 (Zhu and Gupta,
    arXiv 1710.01878, section 3); in one step with fewer than four epochs."""

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
            structure="units" if self.units == "all" else self.units,
            gradual=self._cuts > 1,
            epochs=self.epochs,
            fine_tuned=self.epochs > 0,
            batch_norm=self.batch_norm,
            aggressive=self.ratio >= 0.5 and not self.epochs,
        )

    @property
    def _cuts(self) -> int:
        return _CUTS if self.gradual and self.epochs >= _CUTS else 1

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.pruning.share import Share
        from edgekit.pruning.units import prunable_units, prune_units
        from edgekit.training.batches import tensor_example
        from edgekit.training.modules import constraint_of, module_macs, parameter_count, saved_module
        from edgekit.training.trained import train_module

        whole = module = saved_module(context.project, model)
        example = tensor_example(context.splits[Data.TRAIN])
        share = Share(self.ratio, context.target.channel_multiple)
        done = prune_units(whole, example, share, self.units, context.progress)
        if parameter_count(done.module) >= parameter_count(whole):
            raise StepError(*self._nothing(prunable_units(whole, example), share.multiple))
        if done.faults:
            name, why = next(iter(done.faults.items()))
            context.progress.note(f"{len(done.faults)} layers are not pruned, such as '{name}': it {why}")
        for cut, training in enumerate(self._trainings(), 1):
            share.done = 1 - (1 - cut / self._cuts) ** 3
            cut_now = done if self._cuts == 1 else prune_units(module, example, share, self.units, context.progress)
            module = cut_now.module
            checkpoints = context.checkpoints / f"cut_{cut}"
            checkpoints.mkdir(exist_ok=True)
            what = f"fine-tuning the pruned {context.role}" + (f", cut {cut} of {self._cuts}" if self._cuts > 1 else "")
            within = replace(context, checkpoints=checkpoints)
            outcome = train_module(module, constraint_of(model), training, within, what)
        return Outcome(
            outcome.path,
            {
                **outcome.notes,
                "epochs": self.epochs,
                "parameters_before": parameter_count(whole),
                "macs_before": module_macs(whole, example),
                "parameters": parameter_count(module),
                "macs": module_macs(module, example),
                **_describe_cut(done),
            },
        )

    def _trainings(self) -> "list[Training]":
        """The training after each pruning step; the last one takes the remaining epochs."""
        each, rest = divmod(self.epochs, self._cuts)
        epochs = [each] * (self._cuts - 1) + [each + rest]
        schedule = self.training.schedule
        return [replace(self.training, schedule=replace(schedule, epochs=one)) for one in epochs]

    def _nothing(self, units: "PrunableUnits", multiple: int) -> tuple[str, str]:
        """The error and hint if nothing was removed, by what any ratio could remove."""
        if not units and units.faults:
            name, why = next(iter(units.faults.items()))
            more = f", and {len(units.faults) - 1} more" if len(units.faults) > 1 else ""
            return (
                f"prune can remove nothing: '{name}' {why}{more}",
                "use operators between the layers that keep the order of channels, or remove the step",
            )
        if not units:
            return (
                "prune can remove nothing: the network has no channels besides those of its outputs and of recurrent "
                "layers, and no attention heads",
                "remove the step",
            )
        if self.units == "heads":
            return (
                f"prune found no attention heads to remove at ratio {self.ratio}",
                "prune channels as well: omit the option units",
            )
        return (
            f"prune found nothing to remove at ratio {self.ratio} with channels in multiples of {multiple}",
            "raise the ratio, or remove the step: the student is small already",
        )


def _describe_cut(done: "PruningResult") -> dict[str, Any]:
    """What was removed and kept."""
    return {
        "heads": {name: list(counts) for name, counts in done.heads.items()},
        "outputs": done.outputs,
        "attention_width": done.shared,
        "kept_whole": done.faults,
    }
