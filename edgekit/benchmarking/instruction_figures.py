"""Figures from the counters of an emulated run."""

from edgekit.figures.measurement import Measurement
from edgekit.instruction_counts.counts import Counts
from edgekit.traits import Fidelity

_SHOWN = 4
"""The number of instruction kinds that are named, the most frequent first."""


def instruction_figures(name: str, counts: Counts, fidelity: Fidelity) -> list[Measurement]:
    """Instructions, misses of each cache level, and bytes that the last level wrote to memory, for one run with one
    thread."""
    kinds = sorted(counts.instructions.items(), key=lambda each: (-each[1], each[0]))[:_SHOWN]
    shares = ", ".join(f"{count / counts.total:.0%} {kind}" for kind, count in kinds)
    found = [Measurement(name, "instructions", counts.total, "count", fidelity, f"of one run in one thread: {shares}")]
    for level, cache in enumerate(counts.caches, 1):
        how = f"in a simulated cache: {cache.misses / max(cache.accesses, 1):.1%} of {cache.accesses:,} accesses"
        found.append(Measurement(name, f"l{level}_misses", cache.misses, "count", fidelity, how))
    if counts.caches:
        written = counts.caches[-1].write_backs
        found.append(
            Measurement(name, "write_backs", written, "count", fidelity, "cache lines written to memory, simulated")
        )
    return found
