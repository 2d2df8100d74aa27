import pytest

from edgekit.figures.conclusions import Conclusion
from edgekit.host import this_host
from edgekit.planning.words import recipe_in_words
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.studies import studying
from edgekit.studies.arms import ablation_arms, pair_arms
from edgekit.studies.results import subject_of
from edgekit.studies.studying import run_study
from edgekit.target_files import find_target
from tests.notes import Notes

RECIPE = recipe_in_words("train epochs=3; prune epochs=1 ratio=0.5; export; simplify; quantize; fuse")
HOST = [each for each in map(find_target, ("x86-vnni", "x86-avx2")) if each.is_this(this_host())]


def test_both_orders_of_a_pair_are_measured_stage_by_stage(tiny: Project) -> None:
    arms = pair_arms(tiny, RECIPE, "quantize-weights bits=2 granularity=tensor, sparsify sparsity=0.7 epochs=1")
    found = run_study(tiny, arms, [0, 1], find_target("rpi4"), Silent())
    assert (found.seeds, found.left_out, found.unit, found.fidelity) == ((0, 1), (), "%", "native")
    assert found.subject == subject_of(tiny) and found.target == "rpi4"
    assert len(found.arms) == 4 and [len(each.stages) for each in found.arms] == [3] * 4
    for arm in found.arms:
        for stage in arm.stages:
            assert len(stage.values) == 2 and stage.metric is not None and stage.metric.low is not None
            assert stage.metric.mean == pytest.approx(sum(stage.values) / 2)
    assert found.arms[0].stages[0] == found.arms[1].stages[0] and found.arms[0].macs is None, "no file"
    assert {each.margin for each in found.orders} == {1.0}
    assert min(each.level for each in found.orders) >= 0.95 and max(each.level for each in found.orders) > 0.97
    arms_kind, difference_kind, family_kind = found.intervals
    assert "Student" in arms_kind and "samples" in difference_kind and "2 orders" in family_kind
    finals = {each.name: each.stages[-1].metric for each in found.arms}
    for one, turned in zip(found.orders[::2], found.orders[1::2], strict=True):
        first, second = finals[one.arm], finals[one.other]
        assert first is not None and second is not None
        assert one.points.mean == pytest.approx(first.mean - second.mean) == -turned.points.mean
        assert (one.first, one.then, one.arm) == (turned.then, turned.first, turned.other)
        assert one.gap is not None and turned.gap is not None and one.gap.mean == -turned.gap.mean
        lost = {each.arm: each.points.mean for each in found.alone}
        more = one.arm.removeprefix("quantize-weights then sparsify")
        assert one.gap.mean == pytest.approx(
            lost[f"quantize-weights alone{more}"] - lost[f"sparsify alone{more}"], abs=1e-6
        )
        assert (one.points.low, one.points.high) == (-(turned.points.high or 0), -(turned.points.low or 0))


def test_one_seed_decides_nothing(tiny: Project) -> None:
    arms = pair_arms(
        tiny, RECIPE, "quantize-weights bits=2 granularity=tensor epochs=1, sparsify sparsity=0.9 epochs=1"
    )
    found = run_study(tiny, arms, [0], find_target("rpi4"), Silent())
    assert {each.verdict for each in found.orders} == {None}
    assert all(each.points.low is None and each.conclusion is Conclusion.UNDECIDED for each in found.orders)
    assert found.intervals == ("none with one seed, and therefore no verdicts",)


@pytest.mark.slow
def test_what_each_technique_adds(tiny: Project) -> None:
    found = run_study(tiny, ablation_arms(tiny, RECIPE), [0, 1], find_target("rpi4"), Silent())
    assert [each.step.label for each in found.ablations] == ["prune", "quantize"]
    prune, quantize = found.ablations
    assert prune.bytes_with < prune.bytes_without and quantize.bytes_with < quantize.bytes_without
    assert prune.pays_off and quantize.pays_off and prune.latency is None, "this machine is not a rpi4"
    assert prune.macs_with is not None and prune.macs_without is not None and prune.macs_with < prune.macs_without
    whole = next(each for each in found.arms if each.name == found.whole)
    assert whole.bytes == prune.bytes_with == quantize.bytes_with


@pytest.mark.slow
@pytest.mark.skipif(not HOST, reason="no target is like this machine")
def test_files_are_timed_where_this_machine_is_the_target(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = ablation_arms(tiny, RECIPE)
    assert {each.latency for each in run_study(tiny, arms, [0], HOST[0], Silent()).ablations} == {None}, (
        "it is too small"
    )
    monkeypatch.setattr(studying, "LEAST_MACS", 1)
    for each in run_study(tiny, arms, [0], HOST[0], Silent()).ablations:
        assert each.latency is not None and 0 < each.latency.low <= each.latency.median <= each.latency.high


def test_what_each_technique_loses_alone_is_known_before_the_orders_run(tiny: Project) -> None:
    arms = pair_arms(
        tiny, RECIPE, "quantize-weights bits=2 granularity=tensor epochs=1, sparsify sparsity=0.5 epochs=1"
    )
    notes = Notes()
    found = run_study(tiny, arms, [0], find_target("rpi4"), notes)
    orders = [index for index, each in enumerate(notes.texts) if " then sparsify, not fine-tuned, seed 0" in each]
    expected = [index for index, each in enumerate(notes.texts) if each.startswith(("expected", "no expectation"))]
    assert expected and orders and max(expected) < min(orders)
    assert len(found.alone) == 4 and all(each.points.low is None for each in found.alone)
    assert {each.expected for each in found.orders} == {None}, "one seed lets expect nothing"
