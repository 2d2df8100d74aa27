import pytest

from edgekit.errors import RecipeError
from edgekit.planning.recipe import recipe_from
from edgekit.planning.words import recipe_in_words


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
def test_wrong_words_are_reported(words: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe_in_words(words)
