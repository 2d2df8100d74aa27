from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.contract.step import Outcome
from edgekit.project.project import Project
from edgekit.steps.fuse import Fuse
from edgekit.steps.keep import Keep
from edgekit.steps.quantize import Quantize


@pytest.mark.parametrize(("target", "activation"), [("rpi4", "int8"), ("x86-vnni", "uint8")])
def test_the_file_stays_and_is_described(
    run_step: Callable[..., Outcome], tiny: Project, plain: Path, target: str, activation: str
) -> None:
    quantized = run_step(Quantize(), tiny, plain, target)
    fused = run_step(Fuse(), tiny, quantized.path, target)
    for path, form in ((quantized.path, "QDQ"), (fused.path, "QOperator")):
        kept = run_step(Keep(), tiny, path, target)
        assert kept.path.read_bytes() == path.read_bytes()
        assert (kept.notes["forms"], kept.notes["activations"]) == ([form], [activation])
        assert kept.notes["integer_operators"] == fused.notes["integer_operators"]
        assert kept.notes["float_operators"] == kept.notes["islands"] == {}
