import pytest

from edgekit.arrays import Outputs


def test_outputs_are_had_by_position_and_by_name() -> None:
    outputs = Outputs([1, 2, 3], ["boxes", "scores", "kinds"])
    first, *others = outputs
    assert (first, others, outputs[1], outputs["kinds"], outputs[1:]) == (1, [2, 3], 2, 3, (2, 3))
    with pytest.raises(KeyError, match="no output 'masks' among boxes, scores, kinds"):
        outputs["masks"]


def test_other_names_are_taken_where_there_are_as_many() -> None:
    outputs = Outputs([1, 2], ["a", "b"])
    assert outputs.with_names(["c", "d"])["d"] == 2
    assert outputs.with_names(["c"])["b"] == outputs.with_names([])["b"] == 2
