"""Surveys of a project's models, taken once and kept until their sources change."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cache import Cache
from edgekit.project.project import Project
from edgekit.survey.survey import Survey, survey_key
from edgekit.traits import Architecture, Role

if TYPE_CHECKING:
    from edgekit.data.splits import Splits


def known_surveys(project: Project) -> Mapping[Role, Survey | None]:
    """What is known of each model; None if it was not surveyed since its sources changed. Loads no model. Raises
    ModelError if the project's model file does not exist."""
    return {role: _known(project, role) for role in project.roles}


def survey_model(project: Project, splits: "Splits", role: Role) -> Survey:
    """The survey of a role's model, from the cache or taken now."""
    found = _known(project, role)
    if found is None:
        if project.model_file is not None:
            found = _survey_of_file(project.model_file)
        else:
            from edgekit.survey.module_survey import survey_of

            found = survey_of(project, splits, role)
        values = found.to_json()
        Cache(project.cache_folder).entry(survey_key(project, role), lambda *_: {"kind": "survey", **values})
    return found


def architecture_for_recipe(project: Project, splits: "Splits") -> Architecture | None:
    """The architecture of the student, on which the recommended recipe depends; None for a project that names its
    recipe, and for a model file, whose architecture the recipe's choice reads itself."""
    if project.recipe or project.steps or project.model_file is not None:
        return None
    return survey_model(project, splits, Role.STUDENT).architecture


def _survey_of_file(path: Path) -> Survey:
    from edgekit.model.architecture import architecture_of
    from edgekit.model.inspection import inspect_model
    from edgekit.model.reading import load_model

    found = inspect_model(path)
    norms = found.operators.get("BatchNormalization", 0) > 0
    return Survey(architecture_of(load_model(path)), found.parameters, (), norms, None, None)


def _known(project: Project, role: Role) -> Survey | None:
    entry = Cache(project.cache_folder).get(survey_key(project, role))
    if entry is None:
        return None
    values = {name: entry.record[name] for name in Survey.__dataclass_fields__}
    return Survey(**{**values, "channels": tuple(values["channels"])})
