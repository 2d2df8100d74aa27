"""Former names of options and values: accepted for one release, with a warning."""

import warnings
from collections.abc import Mapping

FORMER_RANGES = {"run": "dynamic"}
"""Of the `ranges` that `edgekit quantize` and `edgekit.quantize` take."""

FORMER_BUILD_OPTIONS = {"placement": "float-operators"}
"""Of the options of `edgekit build`, and with an underscore of the parameters of `edgekit.build`."""


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
