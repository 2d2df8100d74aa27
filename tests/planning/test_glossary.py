from enum import StrEnum
from typing import get_args

import pytest

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.contract.technique import Family, Granularity, Structure
from edgekit.figures.conclusions import Conclusion
from edgekit.gates.gates import Status
from edgekit.planning.glossary import find_term, glossary, plain_name, term_names
from edgekit.planning.interactions import CONTEXT_PROPERTIES, STEP_NAMES, PairVerdict, Severity, fits, step_properties
from edgekit.report.plans import COLUMNS
from edgekit.traits import Fidelity, Format, Role, Trait

load_all()
ENUMS: tuple[type[StrEnum], ...] = (
    Conclusion, Family, Fidelity, Format, PairVerdict, Role, Severity, Status, Trait,
)  # fmt: skip


def test_no_two_terms_have_the_same_name() -> None:
    names = [plain_name(name) for term in glossary() for name in (term.name, *term.also)]
    assert len(names) == len(set(names)) == len(term_names())


@pytest.mark.parametrize("kind", ENUMS, ids=lambda kind: kind.__name__)
def test_every_word_that_a_table_shows_is_explained(kind: type[StrEnum]) -> None:
    assert [each.value for each in kind if find_term(each.value) is None] == []


def test_properties_columns_and_kinds_of_scales_are_explained() -> None:
    words = {*STEP_NAMES, *CONTEXT_PROPERTIES, *COLUMNS, *get_args(Granularity), *get_args(Structure)}
    assert sorted(word for word in words - {"family", "step"} if find_term(word) is None) == []


@pytest.mark.parametrize("name", sorted(Step.registry))
def test_every_step_is_a_word_and_has_the_properties_of_its_term(name: str) -> None:
    term = find_term(name)
    assert term is not None
    for step in term.steps:
        assert step in Step.registry, term.name
    if term.condition:
        known, unknown = step_properties(Step.registry[name]().technique(None), Role.STUDENT)
        assert fits({"family": term.condition["family"]}, known, unknown)


def test_the_steps_of_a_technique_have_its_family() -> None:
    for term in glossary():
        for step in term.steps:
            assert Step.registry[step]().technique(None).family in str(term.condition.get("family")), term.name


def test_a_technique_has_a_step_or_says_why_not() -> None:
    for term in glossary():
        assert term.means.endswith(".")
        assert bool(term.condition) == bool(term.steps) and not (term.steps and term.missing), term.name
    missing = {term.name for term in glossary() if term.missing}
    assert missing >= {
        "clustering",
        "2:4 sparsity",
        "early exit",
        "binary weights",
        "fp16",
        "low rank",
        "depth pruning",
    }
