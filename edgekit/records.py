"""Read TOML files into records, with error messages that say what to change."""

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

import msgspec

from edgekit.errors import InputError, did_you_mean, first_line
from edgekit.paths import read_regular

_MOST_OF_TOML = 4_000_000
_MOST_OF_JSON = 256_000_000
_DEEP_KEY = re.compile(r"""(?:\.[ \t]*[\w"'-]+[ \t]*){100}""")


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """The tables of a TOML file. Raises `error` where it cannot be read."""
    try:
        text = _text(path, _MOST_OF_TOML)
        if _DEEP_KEY.search(text):  # the parser's time grows with the square of the depth
            raise RecursionError
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise error(f"{path} is not valid TOML: {first_line(fault)}", "correct that line") from fault
    except RecursionError as fault:
        raise error(f"{path} is not valid TOML: it is nested too deep", "correct the file") from fault
    except OSError as fault:
        raise error(f"{path} cannot be read: {fault.strerror}", "check the path") from fault


def read_json(path: Path, error: type[InputError], hint: str) -> Any:
    """The value in a JSON file. Raises `error` with `hint` where it cannot be read."""
    try:
        return json.loads(_text(path, _MOST_OF_JSON))
    except ValueError as fault:
        raise error(f"{path} is not JSON: {first_line(fault)}", hint) from fault
    except RecursionError as fault:
        raise error(f"{path} is not JSON: it is nested too deep", hint) from fault
    except OSError as fault:
        raise error(f"{path} cannot be read: {fault.strerror}", hint) from fault


def header_lines(path: Path, name: str) -> list[int]:
    """The line numbers, from 1, of a file's [[name]] headers."""
    header = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(name)}[\"']?\s*\]\]")
    return [number for number, line in enumerate(_lines(path), start=1) if header.match(line)]


def key_line(path: Path, name: str) -> int:
    """The line number, from 1, of a top-level key; 1 if it has no line of its own."""
    key = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
    top = takewhile(lambda line: not line.lstrip().startswith("["), _lines(path))
    return next((number for number, line in enumerate(top, start=1) if key.match(line)), 1)


def _lines(path: Path) -> list[str]:
    """A file's lines, with the content of multi-line strings blanked, in which a header is not one."""
    text = _text(path, _MOST_OF_TOML)
    within = re.compile(r"\"{3}.*?\"{3}|" + r"'{3}.*?'{3}", re.DOTALL)
    return within.sub(lambda found: "\n" * found[0].count("\n"), text).splitlines()


def _text(path: Path, most_bytes: int) -> str:
    """A file's text, without the byte order mark that some editors write, and with the newlines of Unix."""
    return read_regular(path, most_bytes).decode("utf-8-sig").replace("\r\n", "\n")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen record. It is created about thirty times faster than a dataclass, which matters in commands that only
    read and print. Tables that are read as a record must not have unknown keys."""

    def copy_with(self, **values: Any) -> Self:
        """A copy with other values, which are not validated."""
        return msgspec.structs.replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, for keys and manifests. Sets are sorted, so that the result is deterministic."""
        values: dict[str, Any] = msgspec.to_builtins(self, order="deterministic")
        return values


def validate(kind: type[Any], values: Any, where: str, error: type[InputError], *, if_missing: str = "") -> Any:
    """`values` as a `kind` (Record or dataclass). Raises `error` with the first wrong key, or all missing ones, and
    `where` they are. The hint for missing keys ends in `if_missing`."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as fault:
        raise error(*_describe_fault(kind, values, fault, where, if_missing)) from fault


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The JSON schema that values of a kind are validated against."""
    schema = msgspec.json.schema(kind, schema_hook=lambda _: {"type": "string"})
    return {**_resolve(schema, schema), "$defs": schema["$defs"]}


def _describe_fault(
    kind: type[Any], values: Any, error: msgspec.ValidationError, where: str, if_missing: str
) -> tuple[str, str]:
    """What is wrong and what to do, from a message such as "Expected `int`, got `str` - at `$.data[0].size`". A key
    that the user chose appears there as "[...]"."""
    fault = str(error)  # whole: the key is named behind a value that may have any length
    text, _, place = fault.rpartition(" - at `$") if " - at `$" in fault else (fault, "", "")
    path = [int(index) if index else key or "*" for key, index in re.findall(r"\.(\w+)|\[(?:(\d+)|\.{3})\]", place)]
    schema, value = schema_of(kind), values
    node = schema
    for part in path:
        node = _within(node, part, schema)
    for part in takewhile(lambda part: part != "*", path):
        value = value[part]
    named = re.fullmatch(r"Object (contains unknown|missing required) field `(.*)`", text)
    key = ".".join(str(part) for part in (*path, *([named[2]] if named else [])))
    if named and named[1] == "contains unknown":
        return f"{where}: unknown key '{key}'", did_you_mean(named[2], list(node.get("properties", {}))) or "remove it"
    if named:
        *others, last = [f"'{each}'" for each in _missing_keys(schema, values, schema)] or [f"'{key}'"]
        names, verb = (f"{', '.join(others)} and {last}", "are") if others else (last, "is")
        hint = "add these keys" if others else f"add {key} = ..."
        return f"{where}: {names} {verb} missing", ", ".join(filter(None, (hint, if_missing)))
    message = f"{where}: '{key}' is {first_line(repr(value))}" if key else where
    if text.startswith("Invalid enum value"):
        known = [str(each) for each in node.get("enum", ())]
        return f"{message}: no such value", did_you_mean(str(value), known) or "correct the value"
    spoken = first_line(text).replace("`", "").replace("object", "table").replace(" | null", "")
    return f"{message}: {spoken[0].lower()}{spoken[1:]}", "correct the value"


def _missing_keys(node: dict[str, Any], values: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The keys that a schema requires and values lack, with those of inner tables."""
    if not isinstance(values, dict):
        return
    for key in node.get("required", ()):
        if key not in values:
            yield f"{path}{key}"
    for key, value in values.items():
        inner = _within(node, key, schema)
        yield from _missing_keys(inner, value, schema, f"{path}{key}.")
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _missing_keys(_within(inner, index, schema), item, schema, f"{path}{key}.{index}.")


def _within(node: dict[str, Any], part: str | int, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a key, of any key ("*"), or of an array's items, inside the schema of their parent."""
    keys = node.get("properties", {}) | {"*": node.get("additionalProperties", {})}
    inner = node.get("items") if isinstance(part, int) else keys.get(part)
    if not isinstance(inner, dict):  # a key of any kind, or an item of a list whose items differ
        return {}
    choices = [_resolve(each, schema) for each in inner.get("anyOf", [inner])]
    return max(choices, key=lambda each: len(each.keys() & {"properties", "enum", "items"}))


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node
    return found
