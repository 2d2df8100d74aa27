from pathlib import Path

import numpy as np

from edgekit.data.calibration_batches import CalibrationBatches
from edgekit.model.reading import load_model
from edgekit.progress import Silent
from edgekit.quantizers.calibration import channel_ranges
from edgekit.runtimes.ort import inner_tensors

BATCHES = [(np.random.default_rng(seed).standard_normal((4, 3, 6, 6)).astype(np.float32),) for seed in range(3)]


def watched() -> CalibrationBatches:
    return CalibrationBatches(iter(BATCHES), 12, Silent())


def test_the_largest_of_each_channel_over_all_batches(conv_model: Path) -> None:
    name = load_model(conv_model).graph.node[0].output[0]
    found = channel_ranges(conv_model, {name, "nowhere"}, watched())
    inner = [inner_tensors(conv_model, batch)[name] for batch in BATCHES]
    largest = np.max([np.abs(each).reshape(-1, each.shape[-1]).max(axis=0) for each in inner], axis=0)
    assert found.keys() == {name}
    assert np.allclose(found[name], largest, rtol=1e-5)
