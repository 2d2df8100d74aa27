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
