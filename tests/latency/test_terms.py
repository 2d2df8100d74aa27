from edgekit.architectures import CORES
from edgekit.instruction_counts.counts import CacheCounts, Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.latency.terms import FORMULAS, MEMORY, SCALAR, figures_of, products_in, slot_ns, terms_of
from edgekit.target_files import find_target

COUNTS = Counts(
    {kind: number for number, kind in enumerate(InstructionKind, 1)},
    {kind: 0.5 * number for number, kind in enumerate(InstructionKind, 1) if "vector" in kind.value},
    0,
    0,
    (CacheCounts(900, 100, 80, 40), CacheCounts(100, 30, 20, 10)),
)


def test_every_instruction_but_a_prefetch_has_a_price() -> None:
    plain = figures_of(COUNTS)
    for kind in InstructionKind:
        more = Counts(
            {**COUNTS.instructions, kind: COUNTS.instructions[kind] + 100},
            {**COUNTS.quads, **({kind: COUNTS.quads[kind] + 100} if kind in COUNTS.quads else {})},
            0,
            0,
            COUNTS.caches,
        )
        changed = {name for name, value in figures_of(more).items() if value != plain[name]}
        assert len(changed) == (kind is not InstructionKind.PREFETCH), kind


def test_memory_is_what_the_last_cache_misses_and_writes_back() -> None:
    assert figures_of(COUNTS)[MEMORY] == 40


def test_each_formula_holds_each_figure_once() -> None:
    figures = figures_of(COUNTS)
    for formula, terms in FORMULAS.items():
        assert sorted(part for parts in terms.values() for part in parts) == sorted(figures), formula
        assert sum(terms_of(figures, formula).values()) == sum(figures.values())


def test_products_that_a_latency_hangs_on() -> None:
    figures = {**figures_of(COUNTS), "float_products": 90.0, "integer_products": 10.0, "dot_products": 9.0}
    assert products_in(figures) == ("float_products",)
    assert products_in({**figures, "integer_products": 20.0}) == ("float_products", "integer_products")
    assert products_in(dict.fromkeys(figures, 0.0)) == ()


def test_scalar_terms_are_terms() -> None:
    assert {term for terms in FORMULAS.values() for term in terms} > SCALAR


def test_an_instruction_costs_a_share_of_a_cycle() -> None:
    rpi4 = find_target("rpi4")
    assert rpi4.clock_hz and slot_ns(rpi4.cpu, rpi4.clock_hz, 1) == 1e9 / 1.8e9 / 3
    assert slot_ns(rpi4.cpu, rpi4.clock_hz, 4) == slot_ns(rpi4.cpu, rpi4.clock_hz, 1) / 4
    narrowest = min(1 / each.issue_width for each in CORES.values())
    assert slot_ns("cortex-a78", 10**9, 1) < narrowest, "of a core that is not known"
