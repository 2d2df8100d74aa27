from pathlib import Path

import numpy as np
import pytest

from edgekit.data.array_files import ArrayFileSamples
from edgekit.data.samples import UNLABELLED
from edgekit.errors import DataError
from tests.data.conftest import image_inputs

INPUTS = image_inputs("batch", 2)


def rows(*values: float) -> np.ndarray:
    return np.repeat(np.array(values, np.float32)[:, None], 2, axis=1)


def test_a_file_holds_one_sample_or_more(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.npy", "b.npy")]
    np.save(paths[0], rows(1)[0])
    np.save(paths[1], rows(2, 3))
    found = ArrayFileSamples(paths, None, INPUTS)
    assert [float(found.sample(i).inputs[0][0]) for i in (2, 0, 1)] == [3, 1, 2]
    assert found.sample(0).target is UNLABELLED
    assert [found.origin(i) for i in (0, 2)] == [str(paths[0]), f"{paths[1]}, sample 1"]


def test_labels_in_the_file_or_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=rows(1, 2), labels=np.array([4, 5]))
    assert [int(ArrayFileSamples([path], None, INPUTS).sample(i).target) for i in range(2)] == [4, 5]
    assert [int(ArrayFileSamples([path], [np.int64(7)], INPUTS).sample(i).target) for i in range(2)] == [7, 7]


def test_labels_that_do_not_match(tmp_path: Path) -> None:
    path, other = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(path, x=rows(1, 2), labels=np.array([4, 5, 6]))
    with pytest.raises(DataError, match=r"a.npz has 2 samples and 3 labels"):
        ArrayFileSamples([path], None, INPUTS)
    np.savez(path, x=rows(1, 2), labels=np.array([4, 5]))
    np.savez(other, x=rows(3))
    with pytest.raises(DataError, match=r"b.npz has no label, but other files have one"):
        ArrayFileSamples([path, other], None, INPUTS)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for content in (b"", b"no array", b"\x93NUMPY\x01\x00"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a.npy cannot be read"):
            ArrayFileSamples([path], None, INPUTS)
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"a.npy cannot be read"):
        ArrayFileSamples([path], None, INPUTS)
    np.savez(tmp_path / "b.npz", x=rows(1))
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"b.npz cannot be read"):
        ArrayFileSamples([tmp_path / "b.npz"], None, INPUTS)
