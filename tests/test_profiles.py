"""The same inputs every time: hypothesis's profiles, as conftest.py sets them up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn() -> list[tuple[int, str]]:
    found = []

    @settings(settings.get_profile("fixed"))
    @given(st.integers(), st.text())
    def collect(number: int, text: str) -> None:
        found.append((number, text))

    collect()
    return found


def test_the_fixed_profile_draws_the_same_whatever_was_imported_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = drawn()
    numbers = "\n".join(f"n{i} = {123456 + 7919 * i}, 'a word {i}'" for i in range(500))
    (tmp_path / "numbers_of_mine.py").write_text(numbers)
    monkeypatch.syspath_prepend(tmp_path)
    __import__("numbers_of_mine")
    assert drawn() == before
    del sys.modules["numbers_of_mine"]
    assert len(set(before)) > 50


def test_the_fuzzing_profile_draws_anew_and_far_more() -> None:
    fixed, fuzz = (settings.get_profile(name) for name in ("fixed", "fuzz"))
    assert fixed.derandomize and not fuzz.derandomize
    assert fuzz.max_examples >= 20 * fixed.max_examples
    assert fuzz.database is not None and fixed.database is None


def test_a_continuous_integration_server_sees_the_same_profiles() -> None:
    """Hypothesis has a profile of its own for such servers, from which others inherit."""
    asked = "import conftest, hypothesis; print([hypothesis.settings.get_profile(each) for each in ('fixed', 'fuzz')])"

    def profiles(**environment: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", asked],
            cwd=Path(__file__).parent,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert profiles(CI="true") == profiles()
