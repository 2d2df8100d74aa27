import pytest

from edgekit.planning.placed_steps import PlacedSteps
from edgekit.planning.plan import walk_recipe
from edgekit.planning.words import recipe_in_words
from edgekit.pruning.share import PrunableUnits
from edgekit.target_files import find_target
from edgekit.traits import Role

RPI4 = find_target("rpi4")


def placed(words: str, prunable: PrunableUnits | None = None) -> PlacedSteps:
    walk = walk_recipe(recipe_in_words(words), frozenset(Role))
    return PlacedSteps(walk, RPI4, {Role.STUDENT: prunable})


@pytest.mark.parametrize(
    ("words", "fine_tuned", "epochs"),
    [
        ("load; prune ratio=0.5 epochs=0; export", False, 0),
        ("load; prune ratio=0.5 epochs=7; export", True, 7),
        ("load; prune ratio=0.5 epochs=0; train epochs=9; export", True, 9),
        ("load; prune ratio=0.5 epochs=3; sparsify epochs=4; export", True, 7),
        ("load; prune ratio=0.5 epochs=0; load teacher; train teacher; export", False, 0),
    ],
)
def test_later_training_of_the_same_model_is_fine_tuning(words: str, fine_tuned: bool, epochs: int) -> None:
    known, _ = placed(words).properties(1)
    assert (known["fine_tuned"], known["training_epochs"]) == (fine_tuned, epochs)
    assert known["aggressive"] is (not fine_tuned)


def test_a_reader_of_another_model_sees_only_the_training_before_it() -> None:
    steps = placed("train teacher; prune teacher ratio=0.5 epochs=0; distill; train teacher; export")
    assert steps.properties(1)[0]["fine_tuned"] and not steps.properties(1, reader=2)[0]["fine_tuned"]
    assert steps.trainers(1) == [3] and steps.trainers(1, before=3) == []


def test_a_step_that_cannot_be_fine_tuned_stays_so() -> None:
    known, _ = placed("load; train; export; simplify; quantize").properties(0)
    assert known["fine_tuned"] is None and known["trained"] is False


def test_what_pruning_removes_is_known_for_the_shapes_of_the_entry_point() -> None:
    narrow = PrunableUnits({"conv": (16, 1)}, {}, {})
    words = "load; prune ratio=0.05; prune ratio=0.05; export"
    assert placed(words, narrow).properties(1)[0]["removes_units"] is False
    assert placed(words, narrow).properties(2)[0]["removes_units"] is True, (
        "of a cut module nothing is known: no finding"
    )
    known, unknown = placed(words).properties(1)
    assert known["removes_units"] is None and "removes_units" in unknown
