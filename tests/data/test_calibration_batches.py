from pathlib import Path

import numpy as np

from edgekit.data.calibration_batches import CalibrationBatches
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model
from edgekit.progress import Silent

BATCHES = [(np.random.default_rng(seed).standard_normal((4, 3, 6, 6)).astype(np.float32),) for seed in range(3)]


def watched() -> CalibrationBatches:
    return CalibrationBatches(iter(BATCHES), 12, Silent())


def test_batches_are_fed_as_the_model_takes_them(conv_model: Path) -> None:
    ports, batches = inputs_of(load_model(conv_model).graph), watched()
    assert [len(each[0]) for each in batches.feeds(ports)] == [1] * 12
    assert batches.samples == 12
    model = load_model(conv_model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    assert [len(each[0]) for each in watched().feeds(inputs_of(model.graph))] == [4] * 3


def seen(*largest: float, origin: bool = True) -> list[str]:
    """What is reported of samples with these largest values."""
    arrays = np.stack([np.linspace(-value, value / 2, 6, dtype=np.float32) for value in largest])
    halves = (arrays[:3], arrays[3:])
    names = (lambda number: f"samples/{number}.png") if origin else (lambda _: "")
    batches = CalibrationBatches(((each, np.ones(len(each), np.int64)) for each in halves), 9, Silent(), names)
    assert sum(len(each[0]) for each in batches) == len(largest)
    return batches.outliers()


def test_an_outlier_is_named() -> None:
    (text,) = seen(1, 2, 1, 1, 20_000, 1, 1, 2, 1)
    assert text.startswith("samples/4.png has values 20,000 times as large as the median sample")
    assert seen(1, 1, 1, 1, 1, 1, 1, 1, 101, origin=False)[0].startswith("calibration sample 8 has values 101 times")


def test_a_wide_distribution_has_no_outliers() -> None:
    assert seen(1, 2, 1, 1, 99, 1, 1, 2, 1) == []
    assert seen(1, 1000, 1, 1, 1000, 1, 1, 1, 1) == [], "more than one in twenty"
    assert seen(0, 0, 0, 0, 5, 0, 0, 0, 0) == [], "silence is no scale"
    assert watched().outliers() == []
