from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.array_files import ArrayFileSamples, read_rows
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


def _zip(path: Path, change: Callable[[bytearray], None]) -> None:
    np.savez(path, x=np.zeros((2, 3), np.float32))
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def _set(content: bytearray, offset: int, value: bytes) -> None:
    """Set a field in both of a member's headers: the local one, and the one in the directory, two bytes later."""
    for signature, at in ((b"PK\x03\x04", offset), (b"PK\x01\x02", offset + 2)):
        place = content.index(signature) + at
        content[place : place + len(value)] = value


@pytest.mark.parametrize(
    "change",
    [
        lambda content: _set(content, 6, b"\x01\x00"),  # encrypted
        lambda content: _set(content, 8, b"\x63\x00"),  # of an unknown compression
        lambda content: content.__delitem__(slice(40, None)),
        lambda content: content.__setitem__(slice(60, 90), b"(" * 30),  # inside the array's header
    ],
)
def test_a_damaged_archive_is_reported(tmp_path: Path, change: Callable[[bytearray], None]) -> None:
    _zip(tmp_path / "a.npz", change)
    with pytest.raises(DataError, match=r"a\.npz cannot be read: "):
        read_rows(tmp_path / "a.npz", image_inputs(3))


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros((1, 3), np.float32))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"4\.0 GB unpacked, more than 1\.0 GB") as found:
        read_rows(path, image_inputs(3))
    assert "as .npy" in found.value.hint


@pytest.mark.parametrize(
    "shape",
    ["(1000000000000, 3)", "(-2, 3)", "(2, 3)", "(3,)", "(0, 3)", "(" * 200 + ")" * 200, "(3," + " " * 20_000 + ")"],
)
def test_a_header_that_lies_is_reported(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 16
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npy cannot be read: "):
        read_rows(tmp_path / "a.npy", image_inputs(3))


def test_a_large_array_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.data.array_files._MOST_BYTES", 100)
    np.save(tmp_path / "a.npy", np.ones((50, 3), np.float32))
    rows, _ = read_rows(tmp_path / "a.npy", image_inputs("batch", 3))
    assert isinstance(rows[0], np.memmap) and rows[0].shape == (50, 3)
