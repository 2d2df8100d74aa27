from pathlib import Path

import pytest

from edgekit.contract.step import Contract
from edgekit.errors import ModelError, StepError
from edgekit.execution.single_step import run_single_step
from edgekit.progress import Silent
from edgekit.project.from_file import file_project
from edgekit.steps.simplify import Simplify
from edgekit.traits import Trait, facts


def test_the_output_is_there_whole_or_not_at_all(
    conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, output = file_project(conv_model, None), tmp_path / "deep" / "out.onnx"
    found = run_single_step(Simplify(), project, None, output, Silent())
    assert (found.step, found.source, found.bytes) == ("simplify", conv_model, output.stat().st_size)
    assert list(output.parent.iterdir()) == [output]
    output.unlink()
    lying = Contract(
        requires=Simplify.contract.requires, provides=facts(Trait.INTEGER), preserves=Simplify.contract.preserves
    )
    monkeypatch.setattr(Simplify, "contract", lying)
    with pytest.raises(StepError):
        run_single_step(Simplify(), project, None, output, Silent())
    assert not output.exists()


def test_what_is_quantized_already_is_no_float_model(saturating: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"product.onnx is quantized already"):
        run_single_step(Simplify(), file_project(saturating, None), None, tmp_path / "out.onnx", Silent())
