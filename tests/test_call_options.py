import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from edgekit.call_options import (
    BenchOptions,
    BuildOptions,
    CalibrateOptions,
    QuantizeOptions,
    SetupOptions,
    StudyOptions,
    options_of,
)
from edgekit.errors import OptionError


@pytest.mark.parametrize(
    "kind", [BenchOptions, BuildOptions, CalibrateOptions, QuantizeOptions, SetupOptions, StudyOptions]
)
def test_options_have_defaults_and_cannot_be_changed(kind: type) -> None:
    made = kind()
    assert made == kind()
    with pytest.raises(FrozenInstanceError):
        made.runtime = "x"
    with pytest.raises(TypeError, match="positional"):
        kind("x")


def test_options_are_imported_without_anything_else() -> None:
    script = "import sys, edgekit; edgekit.BuildOptions(); print({'numpy', 'onnx', 'msgspec'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "set()"


@pytest.mark.parametrize(
    ("kind", "given", "text"),
    [
        (BenchOptions, {"threads": 0}, "threads is 0"),
        (BenchOptions, {"threads": []}, r"threads is \[\]"),
        (BenchOptions, {"batch": (1, -2)}, r"batch is \(1, -2\)"),
        (BenchOptions, {"seconds": float("nan")}, "seconds is nan"),
        (CalibrateOptions, {"threads": [1, 1.5]}, "threads is"),
        (CalibrateOptions, {"seconds": 0}, "seconds is 0"),
        (StudyOptions, {"seeds": 0}, "seeds is 0"),
        (StudyOptions, {"budget_min": -1}, "budget_min is -1"),
    ],
)
def test_impossible_values_are_rejected(kind: type, given: dict[str, object], text: str) -> None:
    with pytest.raises(OptionError, match=text) as raised:
        kind(**given)
    assert raised.value.hint.startswith("give a positive")


def test_options_of_another_function_are_rejected() -> None:
    assert options_of(None, BuildOptions) == BuildOptions()
    with pytest.raises(OptionError, match="are of type StudyOptions") as raised:
        options_of(StudyOptions(), BuildOptions)  # type: ignore[arg-type]
    assert raised.value.hint == "give edgekit.BuildOptions(...)"
