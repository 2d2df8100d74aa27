from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.data.splits import Splits
from edgekit.metrics.calibration_metric import CalibrationMetric
from edgekit.model.reading import load_model, save_model
from edgekit.project.from_file import file_project
from edgekit.project.project import Project
from edgekit.traits import Data

RANDOM = np.random.default_rng(0)


def project(model: Path, *, labels: bool, **told: object) -> Project:
    arrays = {"x": RANDOM.standard_normal((40, 3, 6, 6)).astype(np.float32)}
    if labels:
        arrays["labels"] = RANDOM.integers(0, 5, 40)
    np.savez(model.with_name("samples.npz"), **arrays)
    return file_project(model, str(model.with_name("samples.npz")), **told)  # type: ignore[arg-type]


def calibrated(found: Project, model: Path) -> CalibrationMetric:
    return CalibrationMetric.of(found, Splits(found)[Data.CALIBRATION], model)


def other(model: Path) -> Path:
    """The model with other weights at its end."""
    proto = load_model(model)
    (weight,) = (each for each in proto.graph.initializer if each.name == "weight")
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), "weight"))
    save_model(proto, model.with_name("other.onnx"))
    return model.with_name("other.onnx")


def test_without_labels_it_is_cosine(conv_model: Path) -> None:
    found = calibrated(project(conv_model, labels=False), conv_model)
    assert (found.name, found.floating, found.allowed) == ("cosine", pytest.approx(1), 0.01)
    assert found.value(other(conv_model)) < 0.9


def test_with_labels_it_is_the_projects_metric_over_the_calibration_samples(conv_model: Path) -> None:
    result = project(conv_model, labels=True, metric="accuracy")
    found = calibrated(result, conv_model)
    assert (found.name, found.allowed) == ("accuracy", 1.0)
    split = Splits(result)[Data.CALIBRATION]
    count = sum(len(batch) for batch in split.batches())
    assert found.floating * count / 100 == pytest.approx(round(found.floating * count / 100))


def test_a_metric_of_labels_without_labels_gives_way(conv_model: Path) -> None:
    assert calibrated(project(conv_model, labels=False, metric="accuracy"), conv_model).name == "cosine"


def test_a_budget_says_what_is_allowed(conv_model: Path) -> None:
    result = project(conv_model, labels=True, metric="accuracy")
    result = result.copy_with(budgets=result.budgets.copy_with(max_drop=3.5))
    assert calibrated(result, conv_model).allowed == 3.5


def test_a_model_that_gives_no_numbers_is_worth_nothing(conv_model: Path) -> None:
    broken = load_model(conv_model)
    (bias,) = (each for each in broken.graph.initializer if each.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(5, np.nan, np.float32), "bias"))
    onnx.save(broken, conv_model.with_name("nan.onnx"))
    found = calibrated(project(conv_model, labels=False), conv_model)
    assert found.value(conv_model.with_name("nan.onnx")) < 0.5
