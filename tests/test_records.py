import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from edgekit.errors import ProjectError
from edgekit.records import Record, header_lines, key_line, read_json, read_toml, schema_of, validate


class Inner(Record, frozen=True):
    size: Annotated[int, Meta(ge=1)] = 1
    kinds: frozenset[Literal["cat", "dog"]] = frozenset()


class Outer(Record, frozen=True, kw_only=True):
    name: Annotated[str, Meta(pattern="^[a-z]+$")]
    rate: Annotated[float, Meta(gt=0)] | None = None
    inner: Inner | None = None
    all: tuple[Inner, ...] = ()
    named: dict[str, float | Inner] = {}


@dataclass(frozen=True)
class Options:
    epochs: Annotated[int, Meta(ge=0)] = 3


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({}, "'name' is missing", "add name = ..."),
        ({"inner": {}, "all": [{}]}, "'name' is missing", "add name = ..."),
        ({"name": "a", "inner": {"siez": 1}}, "unknown key 'inner.siez'", "did you mean 'size'?"),
        ({"name": "a", "nmae": "b"}, "unknown key 'nmae'", "did you mean 'name'?"),
        ({"name": "A"}, "'name' is 'A': expected str matching regex '^[a-z]+$'", "correct the value"),
        ({"name": "a", "rate": 0}, "'rate' is 0: expected float > 0.0", "correct the value"),
        ({"name": "a", "rate": float("nan")}, "'rate' is nan: expected float > 0.0", "correct the value"),
        ({"name": "a", "rate": "fast"}, "'rate' is 'fast': expected float, got str", "correct the value"),
        ({"name": "a", "inner": 3}, "'inner' is 3: expected table, got int", "correct the value"),
        ({"name": "a", "inner": {"size": True}}, "'inner.size' is True: expected int, got bool", "correct the value"),
        ({"name": "a", "all": [{}, {"size": 0}]}, "'all.1.size' is 0: expected int >= 1", "correct the value"),
        ({"name": "a", "all": {}}, "'all' is {}: expected array, got table", "correct the value"),
        (
            {"name": "a", "inner": {"kinds": ["cat", "dgo"]}},
            "'inner.kinds.1' is 'dgo': no such value",
            "did you mean 'dog'?",
        ),
        ({"name": "a", "named": {"x": {"siez": 2}}}, "unknown key 'named.*.siez'", "did you mean 'size'?"),
        (
            {"name": "a", "named": {"x": "y"}},
            "'named.*' is {'x': 'y'}: expected float | table, got str",
            "correct the value",
        ),
    ],
)
def test_what_is_wrong_in_a_table_is_named(values: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(ProjectError) as raised:
        validate(Outer, values, "here", ProjectError)
    assert (raised.value.message, raised.value.hint) == (f"here: {message}", hint)


def test_what_is_right_becomes_a_record() -> None:
    made = validate(Outer, {"name": "a", "rate": 2, "named": {"x": {"size": 2}, "y": 3}}, "here", ProjectError)
    assert made == Outer(name="a", rate=2.0, named={"x": Inner(size=2), "y": 3.0})
    assert made.copy_with(name="b") == Outer(name="b", rate=2.0, named={"x": Inner(size=2), "y": 3.0})
    assert Inner(kinds=frozenset({"dog", "cat"})).to_json() == {"size": 1, "kinds": ["cat", "dog"]}


def test_options_are_held_against_a_dataclass() -> None:
    assert validate(Options, {"epochs": 0}, "here", ProjectError) == Options(0)
    with pytest.raises(ProjectError, match="'epochs' is -1: expected int >= 0"):
        validate(Options, {"epochs": -1}, "here", ProjectError)
    assert schema_of(Options)["properties"]["epochs"] == {"type": "integer", "minimum": 0, "default": 3}


def test_files_that_are_no_toml_are_reported(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("a = = 1")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name, entry in (
        ("bad.toml", "is not valid TOML"),
        ("bytes.toml", "is not valid TOML"),
        ("absent.toml", "cannot be"),
    ):
        with pytest.raises(ProjectError, match=entry):
            read_toml(tmp_path / name, ProjectError)


def test_lines_of_headers_and_keys_are_found(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("a = '''\n[[x]]\nb = 1'''\nb = 2\n[[x]]\n [[ x ]] # two\n[t]\nc = 1\n")
    assert header_lines(path, "x") == [5, 6]
    assert (key_line(path, "a"), key_line(path, "b"), key_line(path, "c")) == (1, 4, 1)


class Nested(Record, frozen=True, kw_only=True):
    outer: Outer
    several: tuple[Outer, ...]
    size: int


def test_every_missing_key_is_named() -> None:
    values = {"outer": {"rate": 1.0}, "several": [{"name": "a"}, {}]}
    with pytest.raises(ProjectError) as raised:
        validate(Nested, values, "x.toml", ProjectError, if_missing="or begin anew")
    assert raised.value.message == "x.toml: 'size', 'outer.name' and 'several.1.name' are missing"
    assert raised.value.hint == "add these keys, or begin anew"


def test_a_byte_order_mark_and_newlines_of_windows_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'\xef\xbb\xbf[[steps]]\r\nuse = "train"\r\ntext = """\r\n[[steps]]\r\n"""\r\n')
    assert read_toml(path, ProjectError)["steps"][0]["use"] == "train"
    assert header_lines(path, "steps") == [1] and key_line(path, "absent") == 1
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path, ProjectError, "hint") == {"a": 1}


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a":' * 100_000, "\x00", "", "1e5000000x"])
def test_what_is_no_json_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ProjectError, match=r"a\.json is not JSON: ") as found:
        read_json(tmp_path / "a.json", ProjectError, "do this")
    assert found.value.hint == "do this"


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "{a=" * 50_000, "a" + ".a" * 100_000 + " = 1"])
def test_toml_that_is_nested_deep_is_no_crash(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    try:
        read_toml(tmp_path / "a.toml", ProjectError)
    except ProjectError as error:
        assert "is not valid TOML" in error.message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    with pytest.raises(ProjectError, match=r"a\.toml cannot be read: it is a pipe or a device"):
        read_toml(tmp_path / "a.toml", ProjectError)
    with pytest.raises(ProjectError, match=r"a\.toml cannot be read: it is a pipe or a device"):
        read_json(tmp_path / "a.toml", ProjectError, "")
