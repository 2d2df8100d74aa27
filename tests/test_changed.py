from pathlib import Path

import pytest

from tests import changed


@pytest.mark.parametrize(
    ("file", "test"),
    [
        ("edgekit/steps/prune.py", "tests/steps/test_prune.py"),
        ("edgekit/host.py", "tests/test_host.py"),
        ("edgekit/planning/interactions.toml", "tests/planning/test_interactions.py"),
        ("targets/rpi4.toml", "tests/test_target.py"),
        ("edgekit/planning/recipes/distil-int8.toml", "tests/planning/test_recipe.py"),
        ("tests/test_host.py", "tests/test_host.py"),
        ("tests/conftest.py", None),
        ("edgekit/steps/__init__.py", None),
        ("README.md", None),
    ],
)
def test_a_change_is_tested_by_the_file_that_mirrors_it(file: str, test: str | None) -> None:
    assert changed.test_file_of(file) == test
    assert test is None or (Path(changed.__file__).parent.parent / test).is_file()
