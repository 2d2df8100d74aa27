"""Targets of any structure: an array, or nested tuples and dicts of arrays."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from edgekit.arrays import Array
from edgekit.errors import DataError

Tree = Any
"""An array, a tuple of trees, or a dict of trees by name."""


def leaves(tree: Tree) -> Iterator[Any]:
    """The leaves of a tree in order."""
    if isinstance(tree, dict):
        for key in tree:
            yield from leaves(tree[key])
    elif isinstance(tree, tuple | list):
        for each in tree:
            yield from leaves(each)
    else:
        yield tree


def map_tree(function: Callable[..., Any], *trees: Tree) -> Tree:
    """A tree of the results of `function` on the leaves of trees with the same structure."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: map_tree(function, *(each[key] for each in trees)) for key in first}
    if isinstance(first, tuple | list):
        return tuple(map_tree(function, *each) for each in zip(*trees, strict=True))
    return function(*trees)


def join_trees(parts: Sequence[Tree]) -> Tree:
    """Batches joined along the first axis of each leaf. Raises DataError if they do not fit together."""
    try:
        return map_tree(_join, *parts)
    except (ValueError, KeyError, TypeError) as error:
        shapes = sorted({str([each.shape[1:] for each in leaves(part)]) for part in parts})
        raise DataError(
            f"targets have different shapes in different batches: {shapes[0]}, {shapes[-1]}",
            "pad the targets to one shape",
        ) from error


def _join(*arrays: Array) -> Array:
    return np.concatenate(arrays)
