"""Surveys of a project's models, taken once and kept until their sources change."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import convert

from edgekit.cache import Cache
from edgekit.project.project import Project
from edgekit.pruning.share import PrunableUnits
from edgekit.survey.survey import Survey, prunable_key, survey_key
from edgekit.traits import Role

if TYPE_CHECKING:
    from edgekit.data.splits import Splits


def known_surveys(project: Project) -> Mapping[Role, Survey | None]:
    """What is known of each model; None if it was not surveyed since its sources changed. Loads no model. Raises
    ModelError if the project's model file does not exist."""
    return {role: _known(project, role) for role in project.roles}


def survey_model(project: Project, splits: "Splits", role: Role, *, prunable: bool = False) -> Survey:
    """The survey of a role's model, from the cache or taken now. With `prunable`, what pruning can remove is searched
    for as well, which takes some seconds."""
    found = _known(project, role)
    if found is None:
        if project.model_file is not None:
            found = _survey_of_file(project.model_file)
        else:
            from edgekit.survey.module_survey import survey_of

            found = survey_of(project, splits, role)
        _keep(project, survey_key(project, role), "survey", found.to_json())
    if prunable and found.prunable is None and project.model_file is None:
        from edgekit.survey.module_survey import prunable_units_of

        units = prunable_units_of(project, splits, role)
        _keep(project, prunable_key(project, role), "prunable", asdict(units))
        return replace(found, prunable=units)
    return found


def survey_for_recipe(project: Project, splits: "Splits") -> Survey | None:
    """The survey of the student, on which the recommended recipe depends; None for a project that names its recipe, and
    for a model file, whose architecture the recipe's choice reads itself."""
    if project.recipe or project.steps or project.model_file is not None:
        return None
    student = survey_model(project, splits, Role.STUDENT)
    if student.architecture == "transformer":
        return student  # its recommended recipe does not prune
    return survey_model(project, splits, Role.STUDENT, prunable=True)


def _survey_of_file(path: Path) -> Survey:
    from edgekit.model.architecture import architecture_of
    from edgekit.model.inspection import inspect_model
    from edgekit.model.reading import load_model

    found = inspect_model(path)
    norms = found.operators.get("BatchNormalization", 0) > 0
    return Survey(architecture_of(load_model(path)), found.parameters, (), norms)


def _known(project: Project, role: Role) -> Survey | None:
    cache = Cache(project.cache_folder)
    entry = cache.get(survey_key(project, role))
    if entry is None:
        return None
    found = convert(entry.record["survey"], Survey)
    units = cache.get(prunable_key(project, role))
    return found if units is None else replace(found, prunable=convert(units.record["prunable"], PrunableUnits))


def _keep(project: Project, key: str, kind: str, values: Mapping[str, Any]) -> None:
    Cache(project.cache_folder).entry(key, lambda *_: {"kind": kind, kind: values})
