import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.files import (
    folder_bytes,
    read_sealed,
    sha256_of_file,
    sha256_of_json,
    write_bytes,
    write_json,
    write_sealed,
)
from edgekit.locks import own

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


def test_a_write_clears_what_a_kill_left_of_an_earlier_one(tmp_path: Path) -> None:
    left, alive = tmp_path / ".file.abcd1234.edgekit", tmp_path / ".file.efgh5678.edgekit"
    of_another, of_the_user = tmp_path / ".other.abcd1234.edgekit", tmp_path / ".file.swp"
    for path in (left, alive, of_another, of_the_user):
        path.touch()
    hold = own(alive)
    write_bytes(tmp_path / "file", b"new")
    assert hold and sorted(tmp_path.iterdir()) == sorted([alive, of_another, of_the_user, tmp_path / "file"])


def test_a_sealed_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path, content = tmp_path / "state", b"\nline\n\x00" * 4
    assert read_sealed(path) is None
    write_sealed(path, content)
    assert read_sealed(path) == content
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        assert read_sealed(path) is None, at
        path.write_bytes(whole[:at])
        assert read_sealed(path) is None, at


def test_the_bytes_of_a_folder_are_those_of_its_files(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b.json", {})
    write_bytes(tmp_path / "c", b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "c")
    assert folder_bytes(tmp_path) == len("{}\n") + 5
    assert folder_bytes(tmp_path / "absent") == 0
