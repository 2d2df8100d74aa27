import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from edgekit.call_options import BenchOptions, BuildOptions, CalibrateOptions, QuantizeOptions, StudyOptions


@pytest.mark.parametrize("kind", [BenchOptions, BuildOptions, CalibrateOptions, QuantizeOptions, StudyOptions])
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
