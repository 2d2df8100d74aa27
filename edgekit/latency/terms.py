"""The terms of a run's latency: counts, each with a price of its own or shared with others."""

from collections.abc import Mapping

from edgekit.architectures import issue_width
from edgekit.instruction_counts.counts import Counts
from edgekit.instruction_counts.instructions import InstructionKind

Figures = Mapping[str, float]

MEMORY = "memory_lines"
"""The term that scales with the memory's clock; all others scale with the core's."""
DIVISION = 8
"""A division in units of other instructions: 7 to 17 cycles for a vector division in the Cortex-A72's Software
Optimization Guide, 3.15 and 3.16."""

FORMULAS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "by kind": {
        "float_products": ("float_products",),
        "integer_products": ("integer_products", "dot_products"),
        "vector_other": ("vector_other",),
        "vector_loads": ("vector_loads",),
        "vector_stores": ("vector_stores",),
        "scalar_loads": ("scalar_loads",),
        "scalar_other": ("scalar_other",),
        "branches": ("branches",),
        MEMORY: (MEMORY,),
    },
    "by unit": {
        "vector": ("float_products", "integer_products", "dot_products", "vector_other"),
        "vector_loads": ("vector_loads",),
        "vector_stores": ("vector_stores",),
        "scalar_loads": ("scalar_loads",),
        "scalar": ("scalar_other", "branches"),
        MEMORY: (MEMORY,),
    },
}
"""Two ways to attribute a latency to counts. Their geometric mean has a smaller error than either, and the difference
of the two is large for networks unlike those in the fit. Dot products share a price with other integer products,
because no core's networks separate the two."""
SCALAR = frozenset({"scalar_loads", "scalar_other", "branches", "scalar"})
"""Terms whose prices are poorly determined, because they overlap with vector work. Alone, each takes about a cycle."""
PRODUCTS = ("float_products", "integer_products", "dot_products")
_SHARE = 0.1


def products_in(figures: Figures) -> tuple[str, ...]:
    """The kinds of products that are at least a tenth of a run's, on whose prices its latency depends."""
    total = sum(figures[each] for each in PRODUCTS)
    return tuple(each for each in PRODUCTS if total and figures[each] >= _SHARE * total)


def slot_ns(cpu: str, clock_hz: int, threads: int) -> float:
    """The lowest cost of an instruction in nanoseconds: its issue slot, when all running cores issue at full width."""
    return 1e9 / clock_hz / issue_width(cpu) / threads


def figures_of(counts: Counts) -> Figures:
    """The priced counts: instructions by kind, vector ones by registers, and lines from and to memory."""
    ran, quads = counts.instructions, counts.quads
    last = counts.caches[-1]
    scalar = (
        InstructionKind.OTHER,
        InstructionKind.PRODUCT,
        InstructionKind.SCALAR_STORE,
        InstructionKind.SCALAR_FLOAT,
    )
    return {
        "float_products": quads.get(InstructionKind.FLOAT_PRODUCT, 0.0),
        "integer_products": ran.get(InstructionKind.INTEGER_PRODUCT, 0),
        "dot_products": ran.get(InstructionKind.DOT_PRODUCT, 0),
        "vector_other": quads.get(InstructionKind.VECTOR_OTHER, 0.0)
        + DIVISION * ran.get(InstructionKind.VECTOR_DIVISION, 0),
        "vector_loads": quads.get(InstructionKind.VECTOR_LOAD, 0.0),
        "vector_stores": quads.get(InstructionKind.VECTOR_STORE, 0.0),
        "scalar_loads": ran.get(InstructionKind.SCALAR_LOAD, 0),
        "scalar_other": sum(ran.get(kind, 0) for kind in scalar) + DIVISION * ran.get(InstructionKind.DIVISION, 0),
        "branches": ran.get(InstructionKind.BRANCH, 0),
        MEMORY: last.misses + last.write_backs,
    }


def terms_of(figures: Figures, formula: str) -> dict[str, float]:
    """The counts summed into the terms of a formula."""
    return {term: sum(figures[each] for each in parts) for term, parts in FORMULAS[formula].items()}
