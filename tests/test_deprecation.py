import warnings

import pytest

from edgekit.deprecation import RenamedWarning, current_name


def test_a_former_name_is_replaced_with_a_warning_that_states_both() -> None:
    with pytest.warns(RenamedWarning, match=r"recipe\.toml: 'otherwise' is now called 'fallback'"):
        assert current_name("otherwise", {"otherwise": "fallback"}, "recipe.toml") == "fallback"


def test_a_current_or_unknown_name_is_returned_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert current_name("fallback", {"otherwise": "fallback"}, "recipe.toml") == "fallback"
        assert current_name("fallbck", {"otherwise": "fallback"}, "recipe.toml") == "fallbck"
