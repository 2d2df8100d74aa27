"""--shape AXIS=N, --shape INPUT=N,N,N"""

from collections.abc import Iterable

import click


def parse_shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Lengths by the name of an axis or input. Raises click.BadParameter for anything but NAME=N or NAME=N,N."""
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        sizes = value.split(",")
        if not (name and equals and all(size.isdecimal() for size in sizes)):
            raise click.BadParameter(
                f"'{text}' is neither AXIS=N nor INPUT=N,N: sequence=128, image=1,3,48,320", param_hint="--shape"
            )
        found[name] = tuple(int(size) for size in sizes)
    return found
