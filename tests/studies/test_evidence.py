import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import EvidenceError
from edgekit.planning.advice import advise
from edgekit.planning.interactions import Severity, shipped_interactions
from edgekit.planning.lint import Finding, LintResult, PlanningContext, lint, planning_context
from edgekit.planning.recipe import Recipe, recipe_from
from edgekit.planning.words import recipe_in_words
from edgekit.project.project import Project
from edgekit.studies.evidence import Measurements, load_study, measurements_of
from edgekit.studies.results import SCHEMA, step_record, subject_of
from edgekit.target_files import find_target

WORDS = "train epochs=5; quantize-weights bits=4 granularity=tensor; sparsify epochs=0; export"
"""EK101: an error by the table."""
WORSE, BETTER = (-5.0, -7.0, -3.0), (5.0, 3.0, 7.0)
WIDE, ALIKE, ONE_SEED = (-16.5, -37.9, 4.8), (0.1, -0.5, 0.7), (-16.5, None, None)

Points = tuple[float, float | None, float | None]


def interval(points: Points) -> dict[str, float | None]:
    return dict(zip(("mean", "low", "high"), points, strict=True))


def study(project: Project, recipe: Recipe, points: Points = WORSE, **changed: Any) -> Path:
    """A study's file: steps 2 and 3 of the recipe in this order compared with the other, and step 3 left out."""
    steps = [step_record(each).to_json() for each in recipe.steps]
    first, then = steps[1:3]
    mean, low, high = points
    turned = (-mean, None if high is None else -high, None if low is None else -low)
    pairs = ((first, then, "a", "b", points), (then, first, "b", "a", turned))
    stages = [[*steps[:1], one, other] for one, other in ((first, then), (then, first))]
    arms = [("a", stages[0]), ("b", stages[1]), ("r", steps)]
    values = {
        "schema": SCHEMA,
        "project": project.name,
        "subject": subject_of(project),
        "target": "rpi4",
        "host": "a CPU",
        "data": "",
        "fidelity": "native",
        "seeds": [0] if low is None else [0, 1, 2],
        "left_out": [],
        "unit": "%",
        "intervals": ["95 %"],
        "arms": [
            {
                "name": name,
                "stages": [{"step": each, "values": [], "metric": None} for each in them],
                "bytes": 9,
                "macs": 9,
            }
            for name, them in arms
        ],
        "alone": [],
        "orders": [
            {
                "first": one,
                "then": other,
                "arm": arm,
                "other": against,
                "points": interval(each),
                "level": 0.95,
                "margin": 1.0,
                "gap": None,
            }
            for one, other, arm, against, each in pairs
        ],
        "whole": "r",
        "ablations": [ablation(then)],
        "impossible": [],
        **changed,
    }
    path = project.root / "study.json"
    path.write_text(json.dumps(values))
    return path


def ablation(step: dict[str, Any], points: Points = ALIKE, bytes_with: int = 100) -> dict[str, Any]:
    sizes = {"bytes_with": bytes_with, "bytes_without": 100, "macs_with": 9, "macs_without": 9}
    return {
        "step": step,
        "arm": "c",
        "points": interval(points),
        "level": 0.95,
        "margin": 1.0,
        **sizes,
        "latency": None,
    }


def by_table(project: Project, recipe: Recipe, target: str | None = None) -> LintResult:
    return lint(recipe, context(project, target), shipped_interactions())


def context(project: Project, target: str | None = None) -> PlanningContext:
    return planning_context(project, find_target(target) if target else None)


def by_study(project: Project, recipe: Recipe, path: Path, target: str | None = None) -> LintResult:
    measured = context(project, target).copy_with(measured=measurements_of(project, path))
    return lint(recipe, measured, shipped_interactions())


def of_pair(judged: LintResult, code: str = "EK101") -> Finding:
    (found,) = [each for each in (*judged.findings, *judged.sound) if each.code == code]
    return found


def test_a_measured_loss_takes_the_place_of_the_table(tiny: Project) -> None:
    recipe = recipe_in_words(WORDS.replace("epochs=0", "epochs=5"))
    table = of_pair(by_table(tiny, recipe), "EK114")
    assert table.severity is Severity.INFO
    own = of_pair(by_study(tiny, recipe, study(tiny, recipe)), "EK114")
    assert own.severity is Severity.ERROR and own.verdict == "poor"
    assert "-5.00 (-7.00 to -3.00) % over 3 seeds, 95 % interval (native)" in own.evidence[0].says
    assert own.evidence[1:] == table.evidence, "the table's own evidence stands beside it"


@pytest.mark.parametrize("points", [WIDE, (1.63, -12.1, 15.36), ONE_SEED, (0.0, None, None)])
def test_absence_of_evidence_leaves_the_tables_verdict(tiny: Project, points: Points) -> None:
    """An interval that reaches from a large loss to a large gain made an error into "no large difference"."""
    recipe = recipe_in_words(WORDS)
    table = of_pair(by_table(tiny, recipe))
    assert table.severity is Severity.ERROR
    own = of_pair(by_study(tiny, recipe, study(tiny, recipe, points)))
    assert own == table.copy_with(limits=own.limits), "the row stands"
    assert own.limits.startswith(table.limits) and "Your study: " in own.limits
    assert own.limits.endswith("undecided, therefore the table's verdict stands.")
    assert ("over 1 seed, no interval" in own.limits) == (points[1] is None)


def test_equivalent_orders_are_no_error_any_more(tiny: Project) -> None:
    recipe = recipe_in_words(WORDS)
    own = of_pair(by_study(tiny, recipe, study(tiny, recipe, ALIKE)))
    assert own.severity is Severity.INFO and "equivalent" in own.message


def test_a_small_loss_is_reported_as_what_it_is(tiny: Project) -> None:
    recipe = recipe_in_words(WORDS)
    own = of_pair(by_study(tiny, recipe, study(tiny, recipe, (-0.9, -1.6, -0.2))))
    assert own.severity is Severity.INFO and "lower metric" in own.message


def test_what_is_poor_in_any_order_is_not_excused_by_the_order(tiny: Project) -> None:
    """EK109 is about both steps together, not about their order."""
    recipe = recipe_in_words("train; quantize-weights; qat; export; simplify; quantize")
    path = study(tiny, recipe, BETTER)
    assert "EK109" in {each.code for each in by_table(tiny, recipe).findings}
    assert "EK109" in {each.code for each in by_study(tiny, recipe, path).findings}


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (WORDS.replace("train epochs=5", "train epochs=200"), "with train epochs 5, not 200"),
        (WORDS.replace("sparsify epochs=0", "prune epochs=1; sparsify epochs=0"), "without prune"),
        (WORDS.replace("quantize-weights", "prune epochs=1; quantize-weights"), "without prune"),
    ],
)
def test_other_conditions_are_reported_and_decide_nothing(tiny: Project, words: str, difference: str) -> None:
    path, recipe = study(tiny, recipe_in_words(WORDS), BETTER), recipe_in_words(words)
    table, own = of_pair(by_table(tiny, recipe)), of_pair(by_study(tiny, recipe, path))
    assert own.severity is table.severity is Severity.ERROR
    assert f"measured {difference}" in own.limits


def test_of_several_measurements_the_one_with_the_recipes_steps_decides(tiny: Project) -> None:
    """`--orders` compares the same two steps with the third one before them and after them."""
    with_prune = recipe_in_words(WORDS.replace("quantize-weights", "prune epochs=1; quantize-weights"))
    train, pruned, first, then, _ = (step_record(each).to_json() for each in with_prune.steps)

    def order(arm: str, points: Points) -> dict[str, Any]:
        values = {"first": first, "then": then, "arm": arm, "other": "", "level": 0.95, "margin": 1.0, "gap": None}
        return {**values, "points": interval(points)}

    def arm(name: str, *steps: dict[str, Any]) -> dict[str, Any]:
        stages = [{"step": each, "values": [], "metric": None} for each in steps]
        return {"name": name, "stages": stages, "bytes": 9, "macs": 9}

    arms = [arm("short", train, first, then), arm("long", train, pruned, first, then)]
    path = study(tiny, recipe_in_words(WORDS), arms=arms, orders=[order("short", ALIKE), order("long", WORSE)])
    assert of_pair(by_study(tiny, with_prune, path)).severity is Severity.ERROR
    assert of_pair(by_study(tiny, recipe_in_words(WORDS), path)).severity is Severity.INFO
    between = recipe_in_words(WORDS.replace("sparsify", "prune epochs=1; sparsify"))
    assert "without prune between the two" in of_pair(by_study(tiny, between, path)).limits


def test_results_for_another_target_count_where_no_technique_depends_on_it(tiny: Project) -> None:
    recipe = recipe_in_words(WORDS)
    path = study(tiny, recipe, ALIKE)
    assert of_pair(by_study(tiny, recipe, path, "x86-avx2")).severity is Severity.INFO
    structured = recipe_in_words(WORDS.replace("sparsify", "prune"))
    path = study(tiny, structured, ALIKE)
    assert of_pair(by_study(tiny, structured, path, "rpi5")).severity is Severity.INFO
    other = of_pair(by_study(tiny, structured, path, "rpi-armv7l"))
    assert other.severity is Severity.ERROR and "measured for rpi4, not rpi-armv7l" in other.limits


def test_a_study_of_few_epochs_does_not_judge_a_recipe_of_many(tiny: Project) -> None:
    words = "train teacher epochs={0}; distill epochs={0}; prune epochs={0}; export; simplify; quantize"
    short, long = (recipe_in_words(words.format(epochs)) for epochs in (4, 200))
    path = study(tiny, short, ALIKE)
    assert [each.severity for each in by_study(tiny, short, path).findings if each.code == "EK191"] == ["warning"]
    (told,) = [each for each in by_study(tiny, long, path).findings if each.code == "EK191"]
    assert told.severity is Severity.INFO and not told.fix
    assert "measured with train teacher epochs 4, not 200" in told.limits


@pytest.mark.parametrize("points", [(-11.5, None, None), (6.0, -2.0, 14.0), (-1.0, -8.0, 6.0)])
def test_a_step_that_may_pay_off_is_not_advised_against(tiny: Project, points: Points) -> None:
    recipe = recipe_in_words(WORDS)
    step = step_record(recipe.steps[2]).to_json()
    path = study(tiny, recipe, orders=[], ablations=[ablation(step, points)])
    (told,) = [each for each in by_study(tiny, recipe, path).findings if each.code == "EK191"]
    assert told.severity is Severity.INFO and not told.fix and "undecided" in told.limits


def test_a_step_that_adds_nothing_is_reported(tiny: Project) -> None:
    recipe = recipe_in_words(WORDS)
    path = study(tiny, recipe)
    (told,) = [each for each in by_study(tiny, recipe, path).findings if each.code == "EK191"]
    assert (told.step, told.severity, told.fix) == (2, Severity.WARNING, "remove the step")
    other = recipe_in_words(WORDS.rpartition(";")[0])
    assert not [each for each in by_study(tiny, other, path).findings if each.code == "EK191"], "of another recipe"
    smaller = study(tiny, recipe, ablations=[ablation(step_record(recipe.steps[2]).to_json(), ALIKE, 50)])
    assert not [each for each in by_study(tiny, recipe, smaller).findings if each.code == "EK191"]


def test_what_was_measured_decides_which_order_is_proposed(tiny: Project) -> None:
    """The table calls pruning before rounding good; the study says the contrary."""
    recipe = recipe_in_words("train; prune; quantize-weights bits=8; export")
    table, known = shipped_interactions(), context(tiny)
    measured = known.copy_with(measured=measurements_of(tiny, study(tiny, recipe, ablations=[])))
    judged = lint(recipe, measured, table)
    assert [(each.code, each.step, each.other) for each in judged.errors] == [("EK104", 1, 2)]
    proposal = advise(judged, measured, table).proposal.judgement
    assert [each.label for each in proposal.recipe.steps if each.label == "prune"] and not proposal.errors
    undecided = known.copy_with(measured=measurements_of(tiny, study(tiny, recipe, WIDE, ablations=[])))
    assert not lint(recipe, undecided, table).errors
    assert advise(lint(recipe, undecided, table), undecided, table).proposal.recipe.steps == (
        advise(lint(recipe, known, table), known, table).proposal.recipe.steps
    )


@pytest.mark.parametrize(("points", "severity"), [(WORSE, "error"), (WIDE, "info"), (ALIKE, "info")])
def test_a_pair_that_the_table_does_not_know_has_a_finding_of_its_own(
    tiny: Project, points: Points, severity: str
) -> None:
    recipe = recipe_in_words("load; train; sparsify; export")
    found = by_study(tiny, recipe, study(tiny, recipe, points, ablations=[]))
    (own,) = [each for each in found.findings if each.code == "EK190"]
    assert own.severity == severity and own.remedy is not None and own.remedy.swap
    assert ("there is no verdict" in own.limits) == (points is WIDE)


def test_the_summary_says_what_was_measured(tiny: Project) -> None:
    measured = Measurements(load_study(study(tiny, recipe_in_words(WORDS)), tiny), "study.json")
    assert measured.summary() == (
        "study.json measured 1 order of two steps and 1 step left out on this model, over 3 seeds: where these results "
        "decide, they replace the table's rows"
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schema": 1}, "schema 1"),
        ({"orders": 3}, "'orders' is 3"),
        (
            {"subject": {"student": "another"}},
            "measured another model or other data: its data_files and evaluation and .* differ",
        ),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_a_study_that_cannot_be_used_is_reported(tiny: Project, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(EvidenceError, match=told):
        load_study(study(tiny, recipe_from("r", [{"use": "train"}] * 4, "r"), **changed), tiny)


def test_a_file_that_is_no_study_is_reported(tiny: Project) -> None:
    for content in ("", "[]", "{}", "nonsense"):
        (tiny.root / "study.json").write_text(content)
        with pytest.raises(EvidenceError) as caught:
            load_study(tiny.root / "study.json", tiny)
        assert caught.value.hint == "give the file that edgekit study wrote"
    with pytest.raises(EvidenceError, match="cannot be read"):
        load_study(tiny.root / "absent.json", tiny)
