import click
import pytest

from edgekit.cli.shapes import parse_shapes


def test_axes_are_parsed() -> None:
    result = parse_shapes(["sequence=128", "past=0", "image=1,3,48,320", "a=b=2"])
    assert result == {"sequence": (128,), "past": (0,), "image": (1, 3, 48, 320), "a=b": (2,)}


@pytest.mark.parametrize("text", ["", "x", "x=", "=3", "x=1,", "x=-1", "x=1.5", "x=a"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_shapes([text])
