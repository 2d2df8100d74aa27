"""The levels of benchmarks/ptq.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.figures.intervals import estimate_difference
from edgekit.figures.ratios import SESSION_DIFFERENCE, Ratio, ratio_of

_FLOAT, _BLOCKS = "float", "edgekit, blocks"
_PLACED = 0.97
_ENCODER = ((0.999, 0.46), (0.998, 0.39))
"""The least cosine, and the largest ratio to the float model's time."""
_WALL = 1.2


@dataclass(frozen=True)
class Level:
    what: str
    found: str
    met: bool


def levels(
    name: str,
    times: Mapping[str, Sequence[float]],
    alike: Mapping[str, Sequence[float]],
    ours: str,
    runtimes: Mapping[str, str],
    wall: Ratio | None,
) -> list[Level]:
    """The levels of a model, and whether each is met. If a figure has an interval, the level counts as met if the
    interval reaches it."""
    if ours not in times:
        return [Level("edgekit builds it", "it failed", False)]
    peers = [tool for tool in times if tool not in (_FLOAT, _BLOCKS, ours)]
    quantized = [tool for tool in peers if "float" not in tool]
    found = []
    if alike:
        best = max(quantized, key=lambda tool: float(np.mean(alike[tool])))
        found.append(_as_faithful(alike[ours], alike[best], best))
    ratio = ratio_of(times[ours], times[_FLOAT])
    found.append(Level("never slower than float", str(ratio), ratio.low <= SESSION_DIFFERENCE))
    inside = [tool for tool in quantized if runtimes[tool] == "onnxruntime"]
    fastest = min(inside, key=lambda tool: ratio_of(times[tool], times[_FLOAT]).median)
    limit = _PLACED if name == "mobilenet_v2" else 1.0
    ratio = ratio_of(times[ours], times[fastest])
    slack = 1.0 if name == "mobilenet_v2" else SESSION_DIFFERENCE
    text = f"time at most {limit:g} of the fastest peer's under ONNX Runtime ({fastest})"
    found.append(Level(text, str(ratio), ratio.low <= limit * slack))
    if name == "encoder":
        found += [_encoder(times, alike, ours, *each) for each in _ENCODER]
    if wall is not None:
        text = f"wall time of edgekit quantize at most {_WALL:g} of quantize_static's"
        found.append(Level(text, str(wall), wall.median <= _WALL))
    for tool in quantized:
        if runtimes[tool] != "onnxruntime":
            ratio = ratio_of(times[ours], times[tool])
            found.append(Level(f"time to {tool}'s", str(ratio), ratio.low <= SESSION_DIFFERENCE))
    return found


def _as_faithful(ours: Sequence[float], theirs: Sequence[float], best: str) -> Level:
    apart = estimate_difference(ours, theirs).interval()
    text = f"{np.mean(ours):.6g} against {np.mean(theirs):.6g}: {apart.mean:+.2g}, at most {apart.high:+.2g}"
    return Level(f"at least as like float as the most faithful peer ({best})", text, not apart.is_below_zero)


def _encoder(
    times: Mapping[str, Sequence[float]], alike: Mapping[str, Sequence[float]], ours: str, least: float, most: float
) -> Level:
    """Met if one of edgekit's recipes meets both limits."""
    figures = {
        tool: (float(np.mean(alike[tool])), ratio_of(times[tool], times[_FLOAT]))
        for tool in (ours, _BLOCKS)
        if tool in times
    }
    met = any(cosine >= least and ratio.low <= most for cosine, ratio in figures.values())
    text = "; ".join(f"{cosine:.5f} at {ratio.median:.3f}" for cosine, ratio in figures.values())
    return Level(f"cosine at least {least} at no more than {most} of float", text, met)
