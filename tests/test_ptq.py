"""benchmarks/ptq.py: its levels on figures, and a model served in a process of its own."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.figures.ratios import Ratio
from edgekit.model.sample import random_feeds
from edgekit.runtimes.ort import feed_outputs

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
RUNTIMES = dict.fromkeys(("edgekit", "edgekit, blocks", "static", "dynamic"), "onnxruntime") | {"other": "other"}


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each level of a model's steady times (1 for float) and likenesses, by its first words: whether it is met."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from ptq_levels import levels

    def judge(name: str, times: dict[str, float], alike: dict[str, list[float]], wall: Ratio | None = None) -> Any:
        steady = {tool: [each] * 30 for tool, each in {"float": 1.0, **times}.items()}
        return {each.what: each.met for each in levels(name, steady, alike, "edgekit", RUNTIMES, wall)}

    return judge


def test_ours_is_held_against_the_fastest_and_the_most_faithful(judged: Any) -> None:
    alike = {"edgekit": [90.0, 100.0], "static": [80.0, 90.0], "other": [100.0, 100.0]}
    met = judged("digits", {"edgekit": 0.5, "static": 0.45, "other": 0.6}, alike)
    assert met == {
        "at least as like float as the most faithful peer (other)": True,
        "never slower than float": True,
        "time at most 1 of the fastest peer's under ONNX Runtime (static)": False,
        "time to other's": True,
    }
    alike["edgekit"] = [89.0, 99.0]
    alike["other"] = [100.0, 110.0]
    met = judged("digits", {"edgekit": 1.02, "static": 1.02, "other": 0.6}, alike, Ratio(1.19, 1.0, 1.3))
    assert list(met.values()) == [False, False, True, True, False], "no noise between pairs is left to excuse it"


def test_placement_and_encoders_have_levels_of_their_own(judged: Any) -> None:
    ahead = "time at most 0.97 of the fastest peer's under ONNX Runtime (static)"
    assert judged("mobilenet_v2", {"edgekit": 0.96, "static": 1.0}, {})[ahead]
    assert not judged("mobilenet_v2", {"edgekit": 0.98, "static": 1.0}, {})[ahead]
    alike = {"edgekit": [0.9985] * 2, "edgekit, blocks": [0.9995] * 2, "dynamic": [0.99] * 2}
    met = judged("encoder", {"edgekit": 0.38, "edgekit, blocks": 0.47, "dynamic": 0.4}, alike)
    assert not met["cosine at least 0.999 at no more than 0.46 of float"]
    assert met["cosine at least 0.998 at no more than 0.39 of float"]


def test_a_model_is_served_as_it_is_run(conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from ptq_served import Served, in_turns
    from ptq_terms import likenesses

    (images,) = random_feeds(conv_model, 3)
    np.savez(tmp_path / "feeds.npz", x=images[:, 0])
    command = [sys.executable, str(BENCHMARKS / "ptq_onnxruntime.py"), "serve", str(conv_model)]
    served = Served.of([*command, str(tmp_path / "feeds.npz")], tmp_path / "log.txt", os.environ)
    try:
        given = served.outputs(tmp_path / "out.npy")
        (expected,) = feed_outputs(conv_model, (images,))
        assert np.abs(given - expected[:, 0]).max() < 1e-4
        assert likenesses("cosine", expected[:, 0], given) == pytest.approx([1.0] * 3)
        assert len(in_turns({"a": served, "b": served}, 0.0, 4)["b"]) == 4
    finally:
        served.end()
    with pytest.raises(RuntimeError, match=r"none\.npz"):
        Served.of([*command, str(tmp_path / "none.npz")], tmp_path / "log.txt", os.environ)
