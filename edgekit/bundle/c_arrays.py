"""model.c and model.h: the model as an aligned constant array for any C11 compiler."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from edgekit.encoding import c_comment, c_identifier, c_string
from edgekit.files import sha256_of_file
from edgekit.formats import format_of
from edgekit.model.ports import Port
from edgekit.version import __version__

ALIGNMENT = 16
_TEMPLATES = Path(__file__).with_name("templates")
_PER_LINE = 16


@dataclass(frozen=True)
class PortSource:
    """An input or output as C constants."""

    port: Port
    scale: float | None = None
    zero_point: int | None = None


def c_sources(
    model: Path, name: str, target: str, inputs: Sequence[PortSource], outputs: Sequence[PortSource]
) -> tuple[str, str]:
    """The text of model.c and model.h for a model file. Symbols start with `name`."""
    prefix = c_identifier(name)
    content = model.read_bytes()
    ports = [
        (f"{prefix}_{kind}_{number}", each)
        for kind, group in (("input", inputs), ("output", outputs))
        for number, each in enumerate(group)
    ]
    values = {
        "version": __version__,
        "target": c_comment(target),
        "prefix": prefix,
        "GUARD": f"{prefix.upper()}_MODEL_H",
        "format": format_of(model).label,
        "alignment": str(ALIGNMENT),
        "length": str(len(content)),
        "sha256": sha256_of_file(model),
        "bytes": _hex_lines(content),
    }
    declared = "".join(_declaration(symbol, each) for symbol, each in ports)
    defined = "".join(_definition(symbol, each) for symbol, each in ports)
    source = Template((_TEMPLATES / "model.c.in").read_text()).substitute(values, ports=defined)
    header = Template((_TEMPLATES / "model.h.in").read_text()).substitute(values, ports=declared)
    return source, header


def _declaration(symbol: str, each: PortSource) -> str:
    rank = max(len(each.port.shape), 1)
    text = f"/* {_comment(each.port)}; -1 is a dynamic axis. */\n"
    text += f"extern const char {symbol}_name[];\nextern const size_t {symbol}_rank;\n"
    text += f"extern const int64_t {symbol}_shape[{rank}];\n"
    if each.scale is not None:
        text += f"extern const float {symbol}_scale;\nextern const int32_t {symbol}_zero_point;\n"
    return text + "\n"


def _definition(symbol: str, each: PortSource) -> str:
    sizes = ", ".join(str(size if isinstance(size, int) else -1) for size in each.port.shape) or "1"
    rank = max(len(each.port.shape), 1)
    text = f"const char {symbol}_name[] = {c_string(each.port.name)};\n"
    text += f"const size_t {symbol}_rank = {len(each.port.shape)}u;\n"
    text += f"const int64_t {symbol}_shape[{rank}] = {{{sizes}}};\n"
    if each.scale is not None:
        text += f"const float {symbol}_scale = {_c_float(each.scale)};\n"
        text += f"const int32_t {symbol}_zero_point = {each.zero_point or 0};\n"
    return text + "\n"


def _comment(port: Port) -> str:
    return c_comment(f"{port.name}: {port.dtype}, {' x '.join(str(size) for size in port.shape) or 'scalar'}")


def _c_float(value: float) -> str:
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def _hex_lines(content: bytes) -> str:
    lines = (content[start : start + _PER_LINE] for start in range(0, len(content), _PER_LINE))
    return "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)
