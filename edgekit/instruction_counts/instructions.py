"""Classify the instructions of a 64-bit ARM program by kind and vector width."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any


class InstructionKind(StrEnum):
    """Kinds of instructions, by what limits how many of them a core issues per cycle."""

    VECTOR_LOAD = "vector loads"
    VECTOR_STORE = "vector stores"
    SCALAR_LOAD = "scalar loads"
    SCALAR_STORE = "scalar stores"
    FLOAT_PRODUCT = "vector float products"
    INTEGER_PRODUCT = "vector integer products"
    DOT_PRODUCT = "vector dot products"
    VECTOR_DIVISION = "vector divisions"
    VECTOR_OTHER = "other vector instructions"
    SCALAR_FLOAT = "scalar float instructions"
    PRODUCT = "scalar products"
    DIVISION = "scalar divisions"
    BRANCH = "branches"
    PREFETCH = "prefetches"
    OTHER = "other scalar instructions"


@dataclass(frozen=True)
class Instruction:
    kind: InstructionKind
    quads: float = 0.0
    """For vector instructions: the registers loaded or stored; otherwise 1, or 0.5 for 64-bit operations."""


_BRANCHES = {"b", "bl", "blr", "br", "ret", "cbz", "cbnz", "tbz", "tbnz"}
_VECTOR_KINDS = {
    InstructionKind.DOT_PRODUCT: re.compile(r"(us|su|[su])dot|(us|[su])mmla|bfdot|bfmmla"),
    InstructionKind.FLOAT_PRODUCT: re.compile(r"f(mul|mulx|mla|mls|ml[as]l2?|cmla)"),
    InstructionKind.INTEGER_PRODUCT: re.compile(
        r"mul|ml[as]|[su]ml[as]l2?|[su]mull2?|sqr?dmulh|sqrdml[as]h|sqdm(ul|la|ls)l2?"
    ),
    InstructionKind.VECTOR_DIVISION: re.compile(r"fdiv|fsqrt"),
}
_SCALAR_KINDS = {
    InstructionKind.PRODUCT: re.compile(r"mul|mneg|madd|msub|[su]m(ulh|ull|addl|subl|negl)"),
    InstructionKind.DIVISION: re.compile(r"[su]div"),
}
_FULL = re.compile(r"v\d+\.(16b|8h|4s|2d|1q)(,|$)")
_FLOAT_REGISTER = re.compile(r"[bhsdq]\d")


@cache
def instruction(word: bytes) -> Instruction:
    """Classify four bytes of code. Bytes that are not an instruction count as other scalar work."""
    _, _, name, operands = next(_disassembler().disasm_lite(word, 0), (0, 0, "", ""))
    if name in _BRANCHES or name.startswith("b."):
        return Instruction(InstructionKind.BRANCH)
    if name.startswith("prf"):
        return Instruction(InstructionKind.PREFETCH)
    if name.startswith(("ld", "st")) and "[" in operands:
        return _load_or_store(name, operands)
    if operands.startswith("v"):
        return Instruction(
            _kind(_VECTOR_KINDS, name, InstructionKind.VECTOR_OTHER), 1.0 if _FULL.match(operands) else 0.5
        )
    if _FLOAT_REGISTER.match(operands) and ", v" in operands:  # a reduction from vector to scalar: addv s0, v1.4s
        return Instruction(_kind(_VECTOR_KINDS, name, InstructionKind.VECTOR_OTHER), 0.5)
    if _FLOAT_REGISTER.match(operands) or name.startswith(("fc", "fmov")):
        return Instruction(InstructionKind.SCALAR_FLOAT)
    return Instruction(_kind(_SCALAR_KINDS, name, InstructionKind.OTHER))


def _kind(kinds: dict[InstructionKind, re.Pattern[str]], name: str, otherwise: InstructionKind) -> InstructionKind:
    return next((kind for kind, pattern in kinds.items() if pattern.fullmatch(name)), otherwise)


def _load_or_store(name: str, operands: str) -> Instruction:
    """Classify a load or a store."""
    is_load = name.startswith("ld")
    if operands.startswith("{"):
        registers = operands.partition("}")[0].count(",") + 1
    elif _FLOAT_REGISTER.match(operands):
        registers = 2 if name[2:].endswith("p") else 1
    else:
        return Instruction(InstructionKind.SCALAR_LOAD if is_load else InstructionKind.SCALAR_STORE)
    return Instruction(InstructionKind.VECTOR_LOAD if is_load else InstructionKind.VECTOR_STORE, registers)


@cache
def _disassembler() -> Any:
    import capstone

    return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
