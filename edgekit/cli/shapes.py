"""--shape AXIS=N"""

from collections.abc import Iterable

import click


def parsed_shapes(texts: Iterable[str]) -> dict[str, int]:
    """The lengths of named axes. Raises click.BadParameter for anything but NAME=positive number."""
    found = {}
    for text in texts:
        name, equals, size = text.partition("=")
        if not (name and equals and size.isdecimal() and int(size) > 0):
            raise click.BadParameter(f"'{text}' is not AXIS=N, such as sequence=128", param_hint="--shape")
        found[name] = int(size)
    return found
