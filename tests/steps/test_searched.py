from pathlib import Path

import pytest

from edgekit.errors import StepError
from edgekit.metrics.calibration_metric import CalibrationMetric
from edgekit.steps.quantize import Quantize
from edgekit.steps.searched import QuantizedFile, contract_with_search, keep_better, worst


class Figures(CalibrationMetric):
    """A metric that is what the file says."""

    def value(self, path: Path) -> float:
        return float(path.read_text())


class Quiet:
    def note(self, _: str) -> None: ...


class Place:
    progress = Quiet()


def chosen(folder: Path, **told: tuple[str, float | None] | StepError) -> tuple[str, QuantizedFile]:
    """What is left at a path, of files that say a figure and leave so much noise."""

    def way(name: str):  # type: ignore[no-untyped-def]
        def leave(path: Path) -> QuantizedFile:
            given = told[name]
            if isinstance(given, StepError):
                raise given
            path.write_text(given[0])
            return QuantizedFile({"made": name}, {"y": given[1]})

        return leave

    project = None
    judged = Figures(project, None, (), 1.0, 0.01)  # type: ignore[arg-type]
    made = keep_better(Place(), judged, folder / "model.onnx", {name: way(name) for name in told})  # type: ignore[arg-type]
    assert [each.name for each in folder.iterdir()] == ["model.onnx"]
    return (folder / "model.onnx").read_text(), made


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CalibrationMetric, "name", "cosine")


def test_the_higher_figure_wins_and_then_the_clearer_signal(tmp_path: Path) -> None:
    left, made = chosen(tmp_path, ort=("0.98", 40.0), inc=("0.99", 30.0))
    assert (left, made.notes["backend"], made.notes["made"]) == ("0.99", "inc", "inc")
    assert made.notes["values"] == {"ort": 0.98, "inc": 0.99}
    (tmp_path / "model.onnx").unlink()
    left, made = chosen(tmp_path, ort=("0.99", 30.0), inc=("0.990", None))
    assert made.notes["backend"] == "inc", "nothing differs at all"


def test_one_that_fails_is_reported(tmp_path: Path) -> None:
    _, made = chosen(tmp_path, ort=("0.9", 1.0), inc=StepError("it is not there", ""))
    assert (made.notes["backend"], made.notes["failed"]) == ("ort", {"inc": "it is not there"})
    with pytest.raises(StepError, match="no; neither"):
        chosen(tmp_path, ort=StepError("no", ""), inc=StepError("neither", ""))


def test_the_worst_output_counts() -> None:
    assert worst({"a": 3.0, "b": None, "c": 7.0}) == 3.0
    assert worst({"a": None}) == worst({}) == float("inf")


def test_a_search_reads_the_metric() -> None:
    assert contract_with_search(Quantize.contract, "ort") is Quantize.contract
    read = contract_with_search(Quantize.contract, "inc")
    assert "metric" in read.settings and "neural-compressor" in read.packages
