import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from edgekit.arrays import Arrays
from edgekit.errors import EntryPointError, StepError
from edgekit.model.facts import activation_types, observed_facts
from edgekit.model.passes.name_nodes import NameNodesPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.reading import load_model, save_model
from edgekit.quantizers.neural_compressor import Goal, search
from edgekit.traits import Trait

SCHEME = {
    "activation": "uint8",
    "weight": "int8",
    "per_channel": True,
    "symmetric_activation": False,
    "reduce_range": False,
    "approach": "static",
    "method": "minmax",
}
SAMPLES = 120


def feeds() -> Iterator[Arrays]:
    random = np.random.default_rng(0)
    for number in range(SAMPLES):
        # The last is the largest: whoever stops at a hundred never sees it.
        yield (random.standard_normal((1, 3, 6, 6)).astype(np.float32) * (1 if number < SAMPLES - 1 else 50),)


@pytest.fixture
def named(conv_model: Path) -> Path:
    save_model(rewrite(load_model(conv_model), NameNodesPass()), conv_model)
    return conv_model


def tried(
    source: Path, folder: Path, judge: Callable[[ModelProto], float], kept: tuple[str, ...] = (), trials: int = 3
) -> list[ModelProto]:
    """The models that were put before a judge."""
    pytest.importorskip("neural_compressor")
    seen = []

    def judged(model: ModelProto) -> float:
        copy = ModelProto()
        copy.CopyFrom(model)
        seen.append(copy)
        return judge(model)

    search(source, feeds, SAMPLES, SCHEME, kept, Goal(judged, 1.0, 0.01, trials), folder)
    return seen


def test_the_first_that_meets_the_goal_ends_it(
    named: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (model,) = tried(named, tmp_path / "work", lambda _: 1.0)
    assert {Trait.INTEGER, Trait.PORTABLE} <= observed_facts(model)
    assert activation_types(model) == {"uint8"}
    assert [each.domain for each in model.opset_import] == [""]
    assert not list(elsewhere.iterdir()) and os.getcwd() == str(elsewhere), "it writes where it was told to"  # noqa: PTH109
    assert capfd.readouterr().out == ""


def test_every_sample_calibrates(named: Path, tmp_path: Path) -> None:
    (model,) = tried(named, tmp_path, lambda _: 1.0)
    stored = {each.name: each for each in model.graph.initializer}
    (scale,) = (
        numpy_helper.to_array(stored[node.input[1]])
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] == "x"
    )
    largest = max(float(np.abs(feed[0]).max()) for feed in feeds())
    assert scale > largest / 255


def test_others_stay_float_until_trials_are_done(named: Path, tmp_path: Path) -> None:
    found = tried(named, tmp_path, lambda _: 0.5)
    assert 2 <= len(found) <= 3
    counts = [sum(node.op_type == "QuantizeLinear" for node in model.graph.node) for model in found]
    assert len(set(counts)) > 1


def test_what_is_kept_stays_float(named: Path, tmp_path: Path) -> None:
    (name,) = (node.name for node in load_model(named).graph.node if node.op_type == "Conv")
    for model in tried(named, tmp_path, lambda _: 0.5, (name,)):
        (node,) = (node for node in model.graph.node if node.op_type == "Conv")
        assert "_DequantizeLinear" not in node.input[1] and "_quantized" not in node.input[1]


def test_what_the_judge_raises_comes_out_and_ends_it(named: Path, tmp_path: Path) -> None:
    def judge(_: ModelProto) -> float:
        raise EntryPointError("the metric gave nan", "return a finite number")

    seen = []
    with pytest.raises(EntryPointError, match="gave nan"):
        seen = tried(named, tmp_path, judge)
    assert not seen


def test_an_interrupted_search_ends_with_what_it_has(named: Path, tmp_path: Path) -> None:
    values = iter([0.5])

    def judge(_: ModelProto) -> float:
        for value in values:
            return value
        raise KeyboardInterrupt

    assert len(tried(named, tmp_path, judge)) == 2


def test_without_the_package_it_says_how_to_get_it(
    named: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "neural_compressor", None)
    with pytest.raises(StepError, match="cannot be imported") as entry:
        search(named, feeds, SAMPLES, SCHEME, (), Goal(lambda _: 1.0, 1.0, 0.0, 1), tmp_path)
    assert "'.[inc]'" in entry.value.hint


def test_a_scheme_that_it_does_not_know_is_reported(named: Path, tmp_path: Path) -> None:
    scheme = {**SCHEME, "weight": "uint8"}
    with pytest.raises(StepError, match="int8 weights only"):
        search(named, feeds, SAMPLES, scheme, (), Goal(lambda _: 1.0, 1.0, 0.0, 1), tmp_path)
