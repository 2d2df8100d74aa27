"""The registry of steps: import every step's file, and create a step from its name and options."""

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from edgekit.contract.step import Step
from edgekit.deprecation import current_name
from edgekit.errors import RecipeError, did_you_mean
from edgekit.records import validate
from edgekit.traits import Format

_STEPS = f"{__name__.partition('.')[0]}.steps"
"""The package of steps. It is found by name because nothing here may import from a higher floor."""


def load_all() -> None:
    """Import every file of edgekit/steps/, which registers its step. They import torch and onnxruntime only when their
    steps run."""
    package = import_module(_STEPS)
    for found in iter_modules(package.__path__):
        import_module(f"{_STEPS}.{found.name}")


def converter_to(wanted: Format) -> type[Step]:
    """The step that converts an ONNX model to another file format."""
    return next(kind for kind in Step.registry.values() if kind.converts_to is wanted)


def reference_steps() -> list[type[Step]]:
    """The steps that turn a trained module into the reference file, in their order."""
    found = [(kind.reference_order, kind) for kind in Step.registry.values() if kind.reference_order is not None]
    return [kind for _, kind in sorted(found, key=lambda each: each[0])]


def fallback_step() -> type[Step]:
    """The step that puts operators back to float."""
    load_all()
    return next(kind for kind in Step.registry.values() if kind.fallback_option)


def current_step_name(name: str, where: str) -> str:
    """The current name of a step, with a RenamedWarning that says `where` if `name` is a former one."""
    return current_name(name, _former_step_names(), where)


def _former_step_names() -> dict[str, str]:
    return {former: name for name, kind in Step.registry.items() for former in kind.former_names}


def step_from(use: str, options: Mapping[str, Any], where: str) -> Step:
    """The step named `use` with these options. Raises RecipeError for a wrong name or option."""
    use = current_step_name(use, where)
    kind = Step.registry.get(use)
    if kind is None:
        raise RecipeError(f"{where}: no step '{use}'", did_you_mean(use, list(Step.registry)))
    known = [each.name for each in fields(kind)]
    for option in options:
        if option not in known:
            raise RecipeError(f"{where}: step '{use}' has no option '{option}'", did_you_mean(option, known))
    current = dict(options)
    for option, former in kind.former_values.items():
        if isinstance(current.get(option), str):
            current[option] = current_name(current[option], former, f"{where}, step '{use}', option '{option}'")
    step: Step = validate(kind, current, f"{where}, step '{use}'", RecipeError)
    return step
