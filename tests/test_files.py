import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.files import folder_bytes, sha256_of_file, sha256_of_json, write_bytes, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.dictionaries(st.text(), JSON, min_size=2))
def test_the_digest_of_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert sha256_of_json(value) == sha256_of_json(dict(reversed(value.items())))


@given(JSON, JSON)
def test_different_json_has_different_digests(left: object, right: object) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)  # in Python, True equals 1
    assert (sha256_of_json(left) == sha256_of_json(right)) == same


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"old")
    with pytest.raises(TypeError):
        write_bytes(tmp_path / "file", "no bytes")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_the_bytes_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b.json", {})
    write_bytes(tmp_path / "c", b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "c")
    assert folder_bytes(tmp_path) == len("{}\n") + 5
    assert folder_bytes(tmp_path / "absent") == 0
