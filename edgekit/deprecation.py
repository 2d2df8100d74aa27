"""Former names of options and values: accepted for one release, with a warning."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

FORMER_RANGES = {"run": "dynamic"}
"""Of the `ranges` that `edgekit quantize` and `edgekit.quantize` take."""

FORMER_BUILD_OPTIONS = {"placement": "float_operators"}
"""Of the options of `edgekit build` and of `edgekit.build`."""


class RenamedWarning(FutureWarning):
    """A former name was used. The next release rejects it."""


def current_name(name: str, former_names: Mapping[str, str], where: str) -> str:
    """The current name for `name`, with a RenamedWarning if `name` is a former one.

    `former_names` maps former names to current ones. `where` says what the name belongs to, for the warning.
    """
    if name not in former_names:
        return name
    current = former_names[name]
    warnings.warn(
        f"{where}: '{name}' is now called '{current}'; the next release rejects the former name",
        RenamedWarning,
        stacklevel=3,
    )
    return current


def accepts_former_keywords(
    options: type[Any], former: Mapping[str, str] | None = None, mapping: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function whose parameter `options` is a dataclass accepts the fields as keyword arguments, with a
    RenamedWarning. `former` maps former names of fields to current ones. `mapping` is the field that a mapping as
    `options` sets."""
    names = {each.name for each in fields(options)} | set(former or {})

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def accepting(*args: Any, **given: Any) -> R:
            moved = {name: given.pop(name) for name in list(given) if name in names}
            if mapping and isinstance(given.get("options"), Mapping):
                moved[mapping] = given.pop("options")
            if moved:
                current = {(former or {}).get(name, name): value for name, value in moved.items()}
                text = ", ".join(f"{name}=..." for name in current)
                warnings.warn(
                    f"edgekit.{function.__name__}: pass options=edgekit.{options.__name__}({text}); the next release "
                    f"rejects {', '.join(moved)} as arguments",
                    RenamedWarning,
                    stacklevel=3,
                )
                given["options"] = replace(given.get("options") or options(), **current)
            return function(*args, **given)

        return cast(Callable[P, R], accepting)

    return decorate
