import numpy as np
import pytest

from edgekit.data.trees import join_trees, leaves, map_tree
from edgekit.errors import DataError

TREE = {"kind": np.arange(3), "place": (np.zeros(3), [np.ones((3, 4))])}


def test_leaves_come_in_order() -> None:
    assert [each.shape for each in leaves(TREE)] == [(3,), (3,), (3, 4)]
    assert [each.tolist() for each in leaves(np.arange(2))] == [[0, 1]]


def test_a_mapped_tree_has_the_same_make() -> None:
    both = map_tree(lambda a, b: a + b, TREE, TREE)
    assert both["kind"].tolist() == [0, 2, 4] and both["place"][1][0].sum() == 24


def test_batches_are_joined_leaf_by_leaf() -> None:
    whole = join_trees([TREE, map_tree(lambda each: each[:1], TREE)])
    assert [len(each) for each in leaves(whole)] == [4, 4, 4]
    assert np.array_equal(join_trees([np.ones(1), np.zeros(1)]), [1, 0])


def test_batches_that_do_not_fit_together_are_reported() -> None:
    with pytest.raises(DataError, match="different shapes in different batches"):
        join_trees([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(DataError, match="different shapes"):
        join_trees([{"a": np.ones(2)}, {"b": np.ones(2)}])
