"""Names and texts of users, models and boards, encoded for the medium that they are written to: one function each."""

import re

_SAFE_IN_C = re.compile(r"[^\w :.,()+-]", re.ASCII)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Control characters but for newline and tab, marks that change the direction of text or are invisible, and halves of
characters, which stand for bytes of a file name that are no UTF-8. XML cannot hold them either."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_FORMULA = ("=", "+", "-", "@", "\t")


def printable(text: str) -> str:
    """Text for a terminal, HTML or XML, in which no character controls the terminal."""
    return _CONTROL.sub(_REPLACEMENT, text)


def one_line(text: str) -> str:
    """Text for a line of a terminal, or for a comment that ends with its line."""
    return " ".join(printable(text).split("\n")).rstrip()


def csv_cell(value: object) -> object:
    """A cell that a spreadsheet does not take for a formula. Numbers are kept."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def c_comment(text: str) -> str:
    """Text inside a C comment, which it can neither end nor continue on the next line."""
    return _SAFE_IN_C.sub("_", text)


def c_identifier(name: str) -> str:
    """A valid C identifier: other characters become underscores, and a leading digit is prefixed with one."""
    safe = re.sub(r"\W", "_", name, flags=re.ASCII).lower() or "edge"
    return f"_{safe}" if safe[0].isdigit() else safe


def c_string(text: str) -> str:
    """A C string literal of UTF-8 bytes. Special characters become three-digit octal escapes, so that neither a
    following digit nor a trigraph changes them."""
    plain = {*range(0x20, 0x7F)} - {ord('"'), ord("\\"), ord("?")}
    content = text.encode(errors="surrogateescape")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in content) + '"'
