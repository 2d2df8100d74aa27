from pathlib import Path

import numpy as np

from edgekit.runtimes.ort import host_outputs
from edgekit.runtimes.rounding import float_tolerance

SEED = np.random.default_rng(0)


def tolerance(path: Path, x: np.ndarray) -> float:
    return float_tolerance(host_outputs(path, (x,), optimize=False), host_outputs(path, (x,)))


def test_an_ordinary_networks_rounding_is_small(conv_model: Path) -> None:
    x = SEED.standard_normal((4, 3, 6, 6)).astype(np.float32)
    assert tolerance(conv_model, x) == 1e-4


def test_a_rest_of_large_sums_is_given_what_its_own_rounding_takes(cancelling: Path) -> None:
    x = SEED.standard_normal((8, 1, 8, 8)).astype(np.float32)
    assert 2e-4 < tolerance(cancelling, x) < 0.05
    assert tolerance(cancelling, x * 1e-2) == 0.05
