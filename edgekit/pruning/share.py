"""How many channels and heads a pruning keeps. Imports no torch, so the planner can ask."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from math import lcm

from edgekit.contract.technique import Units


class Share:
    """How many channels of each layer, and heads of each attention, to keep when a part of the pruning is done."""

    def __init__(self, ratio: float, multiple: int) -> None:
        self.ratio = ratio
        self.multiple = multiple
        self.done = 1.0
        """The part of the pruning that is done. Multiples are respected when all of it is."""
        self._first: dict[str, int] = {}
        self._path = ""

    def below(self, path: str) -> "Share":
        """The same share for the layers of a submodule, by their names in it."""
        inner = copy(self)  # the first counts are shared
        inner._path = f"{self._path}{path}."
        return inner

    def count_to_keep(self, name: str, count: int, groups: int = 1) -> int:
        """How many of a layer's `count` channels to keep, equally in each group; at least as many as in the end."""
        whole = self._first.setdefault(f"{self._path}{name}", count)
        step = groups if groups < count else 1
        last = kept_channels(whole, self.ratio, lcm(self.multiple, step))
        now = last if self.done == 1 else kept_channels(whole, self.ratio * self.done, step)
        return min(max(now, last), count)

    def kept_heads(self, name: str, count: int) -> int:
        """How many of an attention's `count` heads, or groups of heads, to keep."""
        whole = self._first.setdefault(f"{self._path}{name} heads", count)
        return min(kept_channels(whole, self.ratio * self.done, 1), count)


@dataclass(frozen=True)
class PrunableUnits:
    """What pruning can remove from a module."""

    layers: Mapping[str, tuple[int, int]]
    """The number of channels and of groups of each layer that can lose channels, by name."""
    heads: Mapping[str, int]
    """The number of heads, or groups of heads that share keys, of each attention that can lose some, by name."""
    faults: Mapping[str, str]
    """The other layers and attentions that were tried, with the reason."""

    def __bool__(self) -> bool:
        return bool(self.layers or self.heads)

    def are_removed(self, ratio: float, multiple: int, units: Units) -> bool:
        """Whether pruning by this ratio, to channels in multiples of `multiple`, removes any."""
        share = Share(ratio, multiple)
        layers = self.layers.items() if units != "heads" else ()
        heads = self.heads.items() if units != "channels" else ()
        return any(share.count_to_keep(name, *each) < each[0] for name, each in layers) or any(
            share.kept_heads(*each) < each[1] for each in heads
        )


def kept_channels(channels: int, ratio: float, multiple: int) -> int:
    """The number of channels to keep: the nearest multiple to their share, at least one multiple, at most all."""
    wanted = max(round(channels * (1 - ratio) / multiple), 1) * multiple
    return min(wanted, channels)
