"""Ratios of the times of models that a runner timed in turns, on a quiet or a disturbed machine."""

from dataclasses import dataclass

from edgekit.figures.ratios import Ratio, ratio_of
from edgekit.runners.environment import disturbances
from edgekit.runners.runner import Result
from edgekit.wording import disturbed_words


@dataclass(frozen=True)
class TurnRatios:
    """The ratio of each other model's time to the first one's."""

    ratios: tuple[Ratio, ...]
    """Of latencies, or of CPU times if the machine was disturbed and CPU times are known."""
    disturbed: tuple[str, ...]
    """What disturbed the machine during timing; empty on a quiet one."""
    by_cpu: bool = False
    """Whether CPU times were compared."""

    @property
    def how(self) -> str:
        """What the ratios compare, for a report; empty for latencies on a quiet machine."""
        if not self.disturbed:
            return ""
        words = disturbed_words(self.disturbed)
        return f"by CPU time, because {words}" if self.by_cpu else words


def turn_ratios(result: Result, threads: int) -> TurnRatios:
    """The ratios of a result whose models were timed in turns. CPU time does not count the time in which a run waits
    for a CPU; caches shared with other processes still affect it. Raises ValueError if nothing was timed."""
    disturbed = tuple(disturbances(result, threads))
    by_cpu = bool(disturbed and result.cpu_ms)
    times = result.cpu_ms if by_cpu else result.latencies_ms
    if not times:
        raise ValueError("nothing was timed")
    first, *others = times
    return TurnRatios(tuple(ratio_of(each, first) for each in others), disturbed, by_cpu)
