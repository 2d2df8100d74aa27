"""Targets of any make: an array, or tuples and dicts of them, nested as the data nests them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from edgekit.arrays import Array
from edgekit.errors import DataError

Tree = Any
"""An array; or a tuple, or a dict by names, of trees."""


def leaves(tree: Tree) -> Iterator[Any]:
    """What hangs on a tree, in order."""
    if isinstance(tree, dict):
        for key in tree:
            yield from leaves(tree[key])
    elif isinstance(tree, tuple | list):
        for each in tree:
            yield from leaves(each)
    else:
        yield tree


def map_tree(function: Callable[..., Any], *trees: Tree) -> Tree:
    """A tree of what `function` makes of the leaves of trees that are alike."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: map_tree(function, *(each[key] for each in trees)) for key in first}
    if isinstance(first, tuple | list):
        return tuple(map_tree(function, *each) for each in zip(*trees, strict=True))
    return function(*trees)


def join_trees(parts: Sequence[Tree]) -> Tree:
    """Batches joined along the first axis of each leaf. Raises DataError where they do not fit together."""
    try:
        return map_tree(_join, *parts)
    except (ValueError, KeyError, TypeError) as error:
        shapes = sorted({str([each.shape[1:] for each in leaves(part)]) for part in parts})
        raise DataError(
            f"targets have other shapes from batch to batch: {shapes[0]}, {shapes[-1]}",
            "give each batch targets of one shape: pad them",
        ) from error


def _join(*arrays: Array) -> Array:
    return np.concatenate(arrays)
