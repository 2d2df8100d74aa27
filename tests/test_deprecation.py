import inspect
import warnings
from dataclasses import dataclass

import pytest

from edgekit.deprecation import RenamedWarning, accepts_former_keywords, current_name


def test_a_former_name_is_replaced_with_a_warning_that_states_both() -> None:
    with pytest.warns(RenamedWarning, match=r"recipe\.toml: 'otherwise' is now called 'fallback'"):
        assert current_name("otherwise", {"otherwise": "fallback"}, "recipe.toml") == "fallback"


def test_a_current_or_unknown_name_is_returned_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert current_name("fallback", {"otherwise": "fallback"}, "recipe.toml") == "fallback"
        assert current_name("fallbck", {"otherwise": "fallback"}, "recipe.toml") == "fallbck"


@dataclass(frozen=True)
class Options:
    size: int = 1
    shape: str = ""


@accepts_former_keywords(Options, {"form": "shape"}, mapping="shape")
def drawn(colour: str, *, options: Options | None = None) -> tuple[str, Options]:
    return colour, options or Options()


def test_former_keywords_become_options() -> None:
    assert drawn("red", options=Options(2)) == ("red", Options(2)), "without a warning"
    with pytest.warns(RenamedWarning, match=r"edgekit.drawn: pass options=edgekit.Options\(size=..., shape=...\)"):
        assert drawn("red", size=3, form="round") == ("red", Options(3, "round"))  # type: ignore[call-arg]
    with pytest.warns(RenamedWarning, match="rejects size as arguments"):
        assert drawn("red", size=3, options=Options(2, "round"))[1] == Options(3, "round")  # type: ignore[call-arg]
    with pytest.warns(RenamedWarning):
        assert drawn("red", options={"a": 1})[1].shape == {"a": 1}  # type: ignore[arg-type, comparison-overlap]
    with pytest.raises(TypeError, match="sizes"):
        drawn("red", sizes=3)  # type: ignore[call-arg]
    assert list(inspect.signature(drawn).parameters) == ["colour", "options"]
