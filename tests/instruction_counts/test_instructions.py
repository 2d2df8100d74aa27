import pytest

from edgekit.instruction_counts.instructions import Instruction, InstructionKind, instruction

# Little-endian words by the encodings of the Arm Architecture Reference Manual for A-profile, C6 and C7.
WORDS = {
    "ldr q0, [x1]": ("2000c03d", InstructionKind.VECTOR_LOAD, 1),
    "ldr d0, [x1]": ("200040fd", InstructionKind.VECTOR_LOAD, 1),
    "ldp q0, q1, [x2]": ("400440ad", InstructionKind.VECTOR_LOAD, 2),
    "ld1 {v0.4s-v3.4s}, [x0]": ("0028404c", InstructionKind.VECTOR_LOAD, 4),
    "ld1r {v0.4s}, [x0]": ("00c8404d", InstructionKind.VECTOR_LOAD, 1),
    "st1 {v0.4s, v1.4s}, [x0]": ("00a8004c", InstructionKind.VECTOR_STORE, 2),
    "ldr x0, [x1]": ("200040f9", InstructionKind.SCALAR_LOAD, 0),
    "strb w0, [x1]": ("20000039", InstructionKind.SCALAR_STORE, 0),
    "fmla v0.4s, v1.4s, v2.s[1]": ("2010a24f", InstructionKind.FLOAT_PRODUCT, 1),
    "fmla v0.2s, v1.2s, v2.2s": ("20cc220e", InstructionKind.FLOAT_PRODUCT, 0.5),
    "fmla v0.8h, v1.8h, v2.8h": ("200c424e", InstructionKind.FLOAT_PRODUCT, 1),
    "smlal v0.4s, v1.4h, v2.4h": ("2080620e", InstructionKind.INTEGER_PRODUCT, 1),
    "smull2 v0.8h, v1.16b, v2.16b": ("20c0224e", InstructionKind.INTEGER_PRODUCT, 1),
    "sqrdmulh v0.4s, v1.4s, v2.4s": ("20b4a26e", InstructionKind.INTEGER_PRODUCT, 1),
    "sdot v0.4s, v1.16b, v2.16b": ("2094824e", InstructionKind.DOT_PRODUCT, 1),
    "fdiv v0.4s, v1.4s, v2.4s": ("20fc226e", InstructionKind.VECTOR_DIVISION, 1),
    "mov v0.d[1], x3": ("601c184e", InstructionKind.VECTOR_OTHER, 0.5),
    "fadd v0.4s, v1.4s, v2.4s": ("20d4224e", InstructionKind.VECTOR_OTHER, 1),
    "addv s0, v1.4s": ("20b8b14e", InstructionKind.VECTOR_OTHER, 0.5),
    "fadd s0, s1, s2": ("2028221e", InstructionKind.SCALAR_FLOAT, 0),
    "fmov w0, s1": ("2000261e", InstructionKind.SCALAR_FLOAT, 0),
    "madd x0, x1, x2, x3": ("200c029b", InstructionKind.PRODUCT, 0),
    "udiv x0, x1, x2": ("2008c29a", InstructionKind.DIVISION, 0),
    "b.ne .": ("01000054", InstructionKind.BRANCH, 0),
    "ret": ("c0035fd6", InstructionKind.BRANCH, 0),
    "prfm pldl1keep, [x0]": ("000080f9", InstructionKind.PREFETCH, 0),
    "add x0, x1, x2": ("2000028b", InstructionKind.OTHER, 0),
    "nop": ("1f2003d5", InstructionKind.OTHER, 0),
    "no instruction": ("00000000", InstructionKind.OTHER, 0),
}


@pytest.mark.parametrize("text", WORDS)
def test_each_word_is_of_its_kind(text: str) -> None:
    digits, kind, quads = WORDS[text]
    assert instruction(bytes.fromhex(digits)) == Instruction(kind, quads)
