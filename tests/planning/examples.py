"""Examples of findings: the context that a recipe is judged in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgekit.planning.lint import PlanningContext
from edgekit.pruning.share import PrunableUnits
from edgekit.survey.survey import Survey
from edgekit.target_files import find_target
from edgekit.traits import Role

_PARAMETERS = 1000


def surroundings_given(given: Mapping[str, Any]) -> PlanningContext:
    """Surroundings of which everything is known: a convolutional network for rpi4 but for what is `given`."""
    model = Survey(
        architecture=given.get("architecture", "cnn"),
        parameters=_PARAMETERS,
        channels=tuple(given.get("channels", (16, 32))),
        batch_norms=given.get("batch_norms", True),
        prunable=PrunableUnits({"first": (64, 1)} if given.get("prunable", True) else {}, {}, {}),
    )
    teacher = replace(model, parameters=round(_PARAMETERS / given.get("student_share", 0.5)))
    target = find_target(given.get("target", "rpi4"))
    roles = frozenset({Role.TEACHER, Role.STUDENT} if given.get("teacher", True) else {Role.STUDENT})
    scheme = {name: given[name] for name in ("reduce_range", "symmetric_activation") if name in given}
    target = target.copy_with(
        isa=frozenset(given.get("isa", target.isa)), quantization=target.quantization.copy_with(**scheme)
    )
    surveys = {Role.TEACHER: teacher, Role.STUDENT: model}
    return PlanningContext(target, surveys, roles, student_is_teacher=given.get("student_is_teacher"))
