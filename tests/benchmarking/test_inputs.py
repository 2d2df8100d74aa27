from pathlib import Path

import numpy as np
import pytest

from edgekit.benchmarking.inputs import feeds_of
from edgekit.errors import DataError, ModelError
from edgekit.model.reading import load_model, save_model

X = np.random.default_rng(0).standard_normal((5, 3, 6, 6)).astype(np.float32)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    np.savez(tmp_path / "x.npz", x=X)
    return tmp_path / "x.npz"


def test_made_up_feeds_differ_and_have_the_batch(conv_model: Path) -> None:
    (made,) = feeds_of(conv_model, 2, 3, {}, None)
    assert made.shape == (3, 2, 3, 6, 6) and not np.array_equal(made[0], made[1])
    assert np.array_equal(made, feeds_of(conv_model, 2, 3, {}, None)[0])


def test_samples_of_a_file_come_in_their_order(conv_model: Path, samples: Path) -> None:
    (given,) = feeds_of(conv_model, 2, 4, {}, samples)
    assert np.array_equal(given, X[:4].reshape(2, 2, 3, 6, 6)), "the fifth alone fills no batch"
    (single,) = feeds_of(conv_model, 1, 4, {}, samples)
    assert np.array_equal(single[:, 0], X[:4])


def test_what_cannot_be_fed_is_reported(conv_model: Path, samples: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.npz holds 5 samples, fewer than the batch size 6"):
        feeds_of(conv_model, 6, 1, {}, samples)
    (tmp_path / "no.npz").write_bytes(b"none")
    with pytest.raises(DataError, match=r"no\.npz cannot be read"):
        feeds_of(conv_model, 1, 1, {}, tmp_path / "no.npz")
    fixed = load_model(conv_model)
    fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    save_model(fixed, tmp_path / "fixed.onnx")
    with pytest.raises(ModelError, match=r"fixed\.onnx has the fixed batch size 1, not 2"):
        feeds_of(tmp_path / "fixed.onnx", 2, 1, {}, None)
