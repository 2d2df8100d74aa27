from edgekit.benchmarking.instruction_figures import instruction_figures
from edgekit.instruction_counts.counts import CacheCounts, Counts
from edgekit.instruction_counts.instructions import InstructionKind
from edgekit.traits import Fidelity

COUNTS = Counts(
    {
        InstructionKind.OTHER: 10,
        InstructionKind.FLOAT_PRODUCT: 60,
        InstructionKind.BRANCH: 5,
        InstructionKind.VECTOR_LOAD: 20,
        InstructionKind.DIVISION: 5,
    },
    {InstructionKind.FLOAT_PRODUCT: 60.0},
    320,
    64,
    (CacheCounts(50, 10, 8, 2), CacheCounts(10, 4, 3, 1)),
)


def test_a_run_s_counts_are_figures_with_how_they_came_about() -> None:
    found = {each.name: each for each in instruction_figures("m", COUNTS, Fidelity.EMULATED)}
    values = {name: each.value for name, each in found.items()}
    assert values == {"instructions": 100, "l1_misses": 10, "l2_misses": 4, "write_backs": 1}
    assert "60% vector float products, 20% vector loads, 10% other scalar" in found["instructions"].detail
    assert found["l1_misses"].detail == "in a simulated cache: 20.0% of 50 accesses"
    assert {each.fidelity for each in found.values()} == {Fidelity.EMULATED}


def test_without_caches_there_are_instructions_alone() -> None:
    counts = Counts({InstructionKind.OTHER: 1}, {}, 0, 0, ())
    assert [each.name for each in instruction_figures("m", counts, Fidelity.EMULATED)] == ["instructions"]
