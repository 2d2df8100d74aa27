"""Whether other load or throttling disturbed a machine during timing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.runners.runner import Result
from edgekit.wording import count_of

_BUSY = 0.97
_STOLEN = 0.01
_HELD_DOWN = (
    "the supply voltage is too low",
    "the clock is capped",
    "it throttles",
    "the temperature is near its limit",
)
"""The meaning of bits 0 to 3 of a Raspberry Pi's get_throttled. Bits 16 to 19 report the same since boot."""
_IDLE = 0.5
"""The highest load average of an idle machine."""
_HOTTER = 10.0
"""Rise in degrees C during timing that counts as a disturbance."""


def machine_line(result: Result) -> str:
    """A line that describes the machine's state during timing."""
    before, after = _known(result, "before"), _known(result, "after")
    lines = [f"{before['cpus']} of {count_of(before['all_cpus'], 'CPU')}"] if before["cpus"] else []
    if before["load"] is not None:
        lines.append(f"load {before['load']:.2f} before")
    lines.append(f"CPU frequency governor {before['governor'] or 'unknown'}")
    if after["clock_khz"]:
        lines.append(f"{after['clock_khz'] / 1e3:,.0f} MHz after")
    if after["celsius"] is not None:
        lines.append(f"{after['celsius']:.0f} degrees C after")
    return ", ".join(lines)


def disturbances(result: Result, threads: int) -> Sequence[str]:
    """Why the times of a result are unreliable: what disturbed the machine during timing."""
    before, after = _known(result, "before"), _known(result, "after")
    found = []
    share = min((each.busy for each in result.rounds), default=1.0)
    if share < _BUSY:
        found.append(f"the runs waited for a CPU during up to {1 - share:.0%} of their time")
    if before["cpus"] is not None and before["cpus"] < threads:
        found.append(f"{count_of(threads, 'thread')} on {count_of(before['cpus'], 'CPU')}")
    if before["stolen_s"] is not None and after["stolen_s"] is not None:
        stolen = after["stolen_s"] - before["stolen_s"]
        spent = sum(sum(times) for each in result.rounds for times in each.latencies_ms) / 1e3
        if stolen > _STOLEN * spent * (before["all_cpus"] or 1):
            found.append(f"the hypervisor took {stolen:.2f} s of CPU time (steal time)")
    found += [
        f"{what}, as the board reports" for bit, what in enumerate(_HELD_DOWN) if _is_throttled(before, after, bit)
    ]
    if before["throttle_count"] is not None and after["throttle_count"] > before["throttle_count"]:
        found.append("the CPU throttled its clock because of its temperature")
    if (
        before["celsius"] is not None
        and after["celsius"] is not None
        and after["celsius"] - before["celsius"] > _HOTTER
    ):
        found.append(f"the temperature rose by {after['celsius'] - before['celsius']:.0f} degrees C")
    return found


def _known(result: Result, when: str) -> Mapping[str, Any]:
    """The machine's state before or after timing; None for values that were not reported."""
    return defaultdict(lambda: None, result.machine_state.get(when, {}))


def hindrances(now: Mapping[str, Any]) -> Sequence[str]:
    """What would disturb timing on a machine in this state."""
    found = [f"{what}, as the board reports" for bit, what in enumerate(_HELD_DOWN) if _is_throttled(now, now, bit)]
    if now["load"] is not None and now["load"] > _IDLE:
        found.append(f"other processes run there: the load average is {now['load']:.2f}")
    if now["governor"] not in (None, "performance"):
        found.append(
            f"the governor {now['governor']} varies the clock: set the governor performance during calibration"
        )
    return found


def _is_throttled(before: Mapping[str, Any], after: Mapping[str, Any], bit: int) -> bool:
    """Whether a Raspberry Pi reports a throttling bit before or after timing, or that it was set in between."""
    if before["throttled"] is None or after["throttled"] is None:
        return False
    since = after["throttled"] & ~before["throttled"]
    return bool((before["throttled"] | after["throttled"]) >> bit & 1 or since >> (bit + 16) & 1)
