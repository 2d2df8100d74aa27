import pytest

from edgekit.errors import RecipeError
from edgekit.planning.examples import recipe_in_words, surroundings_given
from edgekit.planning.recipe import recipe_from
from edgekit.traits import Role


def test_words_are_a_recipe() -> None:
    tables = [
        {"use": "train", "role": "teacher"},
        {"use": "quantize-weights", "bits": 3, "granularity": "tensor"},
        {"use": "sparsify", "sparsity": 0.5, "gradual": True},
        {"use": "export"},
    ]
    words = "train teacher; quantize-weights bits=3 granularity=tensor; sparsify sparsity=0.5 gradual=true; export"
    assert recipe_in_words(words).steps == recipe_from("r", tables, "r").steps


@pytest.mark.parametrize(("words", "told"), [("trian", "no step 'trian'"), ("train pupil", "no role 'pupil'")])
def test_wrong_words_are_told(words: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe_in_words(words)


def test_everything_is_known_but_for_what_is_given() -> None:
    values, unknown = surroundings_given({}).known(Role.STUDENT)
    assert not unknown
    assert (values["architecture"], values["student_share"], values["odd_channels"]) == ("cnn", 0.5, False)
    given = surroundings_given(
        {"architecture": "transformer", "student_share": 0.1, "channels": [12], "isa": [], "reduce_range": True}
    )
    values, _ = given.known(Role.STUDENT)
    assert (values["architecture"], values["student_share"], values["odd_channels"]) == ("transformer", 0.1, True)
    assert given.target is not None and not given.target.isa and given.target.quantization.reduce_range
