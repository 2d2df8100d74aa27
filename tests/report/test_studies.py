import json
import re
from pathlib import Path

import pytest

from edgekit.errors import EvidenceError
from edgekit.figures.intervals import Interval
from edgekit.figures.ratios import Ratio
from edgekit.project.project import Project
from edgekit.records import validate
from edgekit.report.studies import study_report
from edgekit.studies.evidence import load_study
from edgekit.studies.results import (
    SCHEMA,
    AloneLoss,
    Arm,
    OrderComparison,
    Stage,
    StepAblation,
    StepRecord,
    Study,
    study_json,
    study_schema,
    subject_of,
)
from edgekit.traits import Role
from tests.report.rendered import rendered

TRAIN, PRUNE, ROUND, EXPORT = (
    StepRecord(use, Role.STUDENT, {}) for use in ("train", "prune", "quantize-weights", "export")
)
WORSE, BETTER, OPEN = Interval(-5.0, -7.0, -3.0), Interval(5.0, 3.0, 7.0), Interval(0.5, -1.0, 2.0)
ALIKE, SLIGHT = Interval(0.1, -0.5, 0.7), Interval(-0.9, -1.6, -0.2)


def made_study(subject: dict[str, str] | None = None, **changed: object) -> Study:
    def arm(name: str, *steps: StepRecord) -> Arm:
        metrics = [Interval(90.0 - at, 88.0 - at, 92.0 - at) for at in range(len(steps))]
        stages = (Stage(step, (metric.mean,) * 3, metric) for step, metric in zip(steps, metrics, strict=True))
        return Arm(name, tuple(stages), 12_345)

    def order(
        first: StepRecord, then: StepRecord, arm: str, other: str, points: Interval, gap: Interval | None = None
    ) -> OrderComparison:
        return OrderComparison(first, then, arm, other, points, 0.975, 1.0, gap)

    study = Study(
        schema=SCHEMA,
        project="tiny",
        subject=subject or {},
        target="rpi4",
        host="a CPU",
        data="made-up noise",
        fidelity="native",
        seeds=(0, 1, 2),
        left_out=(),
        unit="%",
        intervals=("arms 95%, Student's t over the seeds", "differences 95%, paired over seeds"),
        arms=(arm("one", TRAIN, PRUNE, ROUND, EXPORT), arm("other", TRAIN, ROUND, PRUNE)),
        alone=(AloneLoss(PRUNE, "prune alone", SLIGHT), AloneLoss(ROUND, "quantize-weights alone", WORSE)),
        orders=(
            order(PRUNE, ROUND, "one", "other", BETTER, BETTER),
            order(ROUND, PRUNE, "other", "one", WORSE, WORSE),
            order(PRUNE, ROUND, "three", "four", OPEN, OPEN),
            order(ROUND, PRUNE, "four", "three", OPEN),
            order(PRUNE, ROUND, "five", "six", ALIKE),
            order(ROUND, PRUNE, "six", "five", ALIKE),
            order(PRUNE, ROUND, "seven", "eight", SLIGHT),
            order(ROUND, PRUNE, "eight", "seven", SLIGHT),
        ),
        whole="one",
        ablations=(
            StepAblation(PRUNE, "without prune", OPEN, 0.95, 1.0, 100, 200, 5, 9, Ratio(0.5, 0.4, 0.6)),
            StepAblation(ROUND, "without quantize-weights", ALIKE, 0.95, 1.0, 100, 100, 9, 9, None),
            StepAblation(TRAIN, "without train", OPEN, 0.95, 1.0, 100, 100, 9, 9, None),
        ),
        impossible=("without export: there is no file",),
    )
    return study.copy_with(**changed)


def text(study: Study) -> str:
    return rendered(*study_report(study))


def test_the_report_gives_means_with_intervals_and_says_what_cannot_be_told_apart() -> None:
    shown = text(made_study())
    assert max(map(len, shown.splitlines())) <= 80
    flat = " ".join(shown.split())
    for part in (
        "study of tiny for rpi4, 3 seeds, a CPU (native)",
        "2 prune 89.00 (87.00 to 91.00)",
        "12,345 B",
        "one +5.00 (+3.00 to +7.00), 97.5 % other better expected: better",
        "prune alone -0.90 (-1.60 to -0.20)",
        "three +0.50 (-1.00 to +2.00), 97.5 % four undecided expected: undecided",
        "five +0.10 (-0.50 to +0.70), 97.5 % six equivalent: within 1",
        "seven -0.90 (-1.60 to -0.20), 97.5 % eight worse, perhaps by less than 1",
        "prune +0.50 (-1.00 to +2.00) 0.50 0.500 (0.400 to 0.600) undecided",
        "quantize-weights does not pay off here: omit it",
        "whether train pays off is undecided",
        "not run: without export: there is no file",
        "intervals: arms 95%, Student's t over the seeds",
        "intervals: differences 95%, paired over seeds",
        "data: the metric is computed on made-up noise",
    ):
        assert part in flat, shown
    assert "room for" not in flat


def test_times_of_a_disturbed_machine_say_what_they_are() -> None:
    how = "by CPU time, because the machine was disturbed: the runs waited for a CPU"
    disturbed = tuple(each.copy_with(latency_how=how) for each in made_study().ablations)
    assert f"time: {how}" in " ".join(text(made_study(ablations=disturbed)).split())
    assert "time: " not in text(made_study())


def test_many_impossible_orders_are_counted() -> None:
    flat = " ".join(text(made_study(impossible=tuple(f"order {number}" for number in range(9)))).split())
    assert "not run: order 1 not run: 7 more that are impossible" in flat and "order 2" not in flat


def test_one_seed_and_a_spent_budget_are_said() -> None:
    alone = Interval(3.0, None, None)
    orders = tuple(each.copy_with(points=alone) for each in made_study().orders)
    flat = " ".join(text(made_study(seeds=(0,), left_out=(1, 2), orders=orders, ablations=())).split())
    assert "1 seed, a CPU" in flat and "one +3.00 other one seed: no interval, no verdict" in flat
    assert "the budget had room for 1 of 3 seeds" in flat


def test_what_is_written_is_read_again(tiny: Project, tmp_path: Path) -> None:
    study = made_study(subject_of(tiny))
    (tmp_path / "study.json").write_text(study_json(study))
    assert load_study(tmp_path / "study.json", tiny) == study


def test_the_schema_knows_every_key() -> None:
    data, schema = json.loads(study_json(made_study())), study_schema()
    assert set(schema["properties"]) == set(data)
    assert set(schema["$defs"]["OrderComparison"]["properties"]) == set(data["orders"][0])
    with pytest.raises(EvidenceError, match=re.escape("'seeds.0' is 'first'")):
        validate(Study, {**data, "seeds": ["first"]}, "study.json", EvidenceError)
