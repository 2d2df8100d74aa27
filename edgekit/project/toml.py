"""TOML files read into pydantic models, with errors a person can act on."""

import tomllib
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


def validated(kind: type[Any], values: Any, where: str, error: type[InputError]) -> Any:
    """`values` as a `kind` (pydantic model or dataclass). Raises `error` naming the first wrong key and `where`."""
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as fault:
        raise error(*_told(kind, fault, where)) from fault


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
    schema: dict[str, Any] = TypeAdapter(kind).json_schema(mode="validation")
    node = schema
    for part in (None, *path):
        if part is not None:
            node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        for choice in (node, *node.get("anyOf", ())):
            if "$ref" in choice:
                node = schema["$defs"][choice["$ref"].rsplit("/", 1)[-1]]
    return list(node.get("properties", {}))
