"""The properties of a recipe's steps in their place: what conditions see of a step, given the steps around it."""

from collections.abc import Mapping
from typing import Any

from edgekit.contract.technique import Technique
from edgekit.planning.interactions import step_properties
from edgekit.planning.plan import RecipeWalk
from edgekit.pruning.share import PrunableUnits
from edgekit.target import Target
from edgekit.traits import Role, Trait

Properties = tuple[dict[str, Any], frozenset[str]]
"""Properties by name, and the names of unknown ones."""


class PlacedSteps:
    """The steps of a recipe for a target. `prunable` is what structured pruning can remove from each role's module, if
    that is known."""

    def __init__(self, walk: RecipeWalk, target: Target | None, prunable: Mapping[Role, PrunableUnits | None]) -> None:
        self.walk = walk
        self.target = target
        self.prunable = prunable
        self.techniques = [each.step.technique(target) for each in walk.steps]
        self._known: dict[tuple[int, int | None], Properties] = {}

    def properties(self, index: int, reader: int | None = None) -> Properties:
        """The properties of a step: by default, in the finished recipe; as a later step `reader` sees them, only the
        training before that step counts, if it reads the model of another role."""
        if reader is not None and self.walk.steps[reader].role is self.walk.steps[index].role:
            reader = None
        if (index, reader) not in self._known:
            self._known[index, reader] = self._properties(index, reader)
        return self._known[index, reader]

    def _properties(self, index: int, reader: int | None) -> Properties:
        technique, planned = self.techniques[index], self.walk.steps[index]
        before = self.walk.entry if planned.parent is None else self.walk.steps[planned.parent].facts
        known, unknown = step_properties(
            technique,
            planned.role,
            trained=Trait.CONVERGED in before,
            removes_units=Trait.UNCUT not in before or self._removes_units(technique, planned.role),
        )
        trainers = self.trainers(index, reader)
        if trainers and technique.fine_tuned is not None:
            known |= {"fine_tuned": True, "aggressive": False}
        known["training_epochs"] = sum(self.techniques[each].epochs or 0 for each in (index, *trainers))
        return known, unknown

    def trainers(self, index: int, before: int | None = None) -> list[int]:
        """The later steps that train the model that a step returns, up to the step `before`."""
        return [
            each.index
            for each in self.walk.steps
            if self.techniques[each.index].epochs
            and index in self.walk.line(each.index)
            and (before is None or each.index < before)
        ]

    def _removes_units(self, technique: Technique, role: Role) -> bool | None:
        """Whether structured pruning removes any units of a role's module in the shapes of its entry point; None if
        that is unknown or the technique is another one."""
        prunable, units, ratio = self.prunable.get(role), technique.removed_units, technique.sparsity
        if prunable is None or self.target is None or units is None or ratio is None:
            return None
        return prunable.are_removed(ratio, self.target.channel_multiple, units)
