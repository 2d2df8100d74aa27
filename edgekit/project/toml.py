"""TOML files read into pydantic models, with errors a person can act on."""

import re
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgekit.errors import InputError, did_you_mean, first_line


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """The tables of a TOML file. Raises `error` where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise error(f"{path} is no valid TOML: {first_line(fault)}", "mend the line that is named") from fault
    except OSError as fault:
        raise error(f"{path} cannot be read: {fault.strerror}", "check the path") from fault


def header_lines(path: Path, name: str) -> list[int]:
    """The lines, from 1, of a file's [[name]] headers, in order."""
    header = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(name)}[\"']?\s*\]\]")
    return [number for number, line in enumerate(_lines(path), start=1) if header.match(line)]


def key_line(path: Path, name: str) -> int:
    """The line of a key at the top of a file, from 1; 1 where it has no line of its own."""
    key = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
    top = takewhile(lambda line: not line.lstrip().startswith("["), _lines(path))
    return next((number for number, line in enumerate(top, start=1) if key.match(line)), 1)


def _lines(path: Path) -> list[str]:
    """With nothing of what stands within texts of several lines, where a header is none."""
    text = path.read_text(encoding="utf-8")
    within = re.compile(r"\"{3}.*?\"{3}|" + r"'{3}.*?'{3}", re.DOTALL)
    return within.sub(lambda found: "\n" * found[0].count("\n"), text).splitlines()


def validated(kind: type[Any], values: Any, where: str, error: type[InputError]) -> Any:
    """`values` as a `kind` (pydantic model or dataclass). Raises `error` naming the first wrong key and `where`."""
    try:
        return _adapter(kind).validate_python(values)
    except ValidationError as fault:
        raise error(*_told(kind, fault, where)) from fault


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""Making one takes milliseconds."""


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """The JSON schema that values of a kind are held against."""
    return _adapter(kind).json_schema(mode="validation")


def _told(kind: type[Any], fault: ValidationError, where: str) -> tuple[str, str]:
    first = min(fault.errors(), key=lambda each: each["type"] not in ("extra_forbidden", "unexpected_keyword_argument"))
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{where}: unknown key '{key}'", did_you_mean(str(first["loc"][-1]), _keys(kind, first["loc"][:-1]))
    if first["type"] in ("missing", "missing_argument"):
        return f"{where}: '{key}' is missing", f"add {key} = ..."
    text = first_line(first["msg"].removeprefix("Value error, "))
    return f"{where}: '{key}' is {first['input']!r}: {text[0].lower()}{text[1:]}", "correct the value"


def _keys(kind: type[Any], path: tuple[int | str, ...]) -> list[str]:
    """The keys that `kind` knows in the table at `path`."""
    schema = schema_of(kind)
    node = schema
    for part in (None, *path):
        if part is not None:
            node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        for choice in (node, *node.get("anyOf", ())):
            if "$ref" in choice:
                node = schema["$defs"][choice["$ref"].rsplit("/", 1)[-1]]
    return list(node.get("properties", {}))
