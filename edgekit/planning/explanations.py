"""Explanations of findings: when one applies, why, the evidence, and an example with and without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import InteractionsError, did_you_mean
from edgekit.planning.glossary import Term, find_term, glossary, plain_name, term_names
from edgekit.planning.interactions import (
    RULES,
    Condition,
    Constraint,
    Evidence,
    Example,
    Interaction,
    Interactions,
    PairVerdict,
    Severity,
    ValueLimits,
    overlap,
)
from edgekit.planning.order_page import Page, order_page


@dataclass(frozen=True)
class Explanation:
    code: str
    title: str
    verdict: PairVerdict
    severity: Severity | None
    """None for good pairs."""
    rule: str
    """When it applies; empty if the title says so."""
    why: str
    limits: str
    """What this project's measurements add to the reason, or where they contradict it."""
    fix: str
    evidence: tuple[Evidence, ...]
    example: Example | None
    """None if no step applies the technique yet."""

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "title": self.title,
            "verdict": self.verdict,
            "severity": self.severity,
            "rule": self.rule,
            "reason": self.why,
            "limits": self.limits,
            "fix": self.fix,
            "evidence": [each.to_json() for each in self.evidence],
            "example": self.example.to_json() if self.example else None,
        }


@dataclass(frozen=True)
class Answer:
    """What `edgekit explain` knows of codes, techniques or words."""

    findings: tuple[Explanation, ...] = ()
    """By code, on a technique, or on two techniques in the order as given."""
    reverse: tuple[Explanation, ...] = ()
    """On two techniques in the other order."""
    terms: tuple[Term, ...] = ()
    """The meanings of the techniques and words."""
    page: Page | None = None
    """The page on the order of techniques."""

    def to_json(self) -> dict[str, Any]:
        return {
            "findings": [each.to_json() for each in self.findings],
            "reverse": [each.to_json() for each in self.reverse],
            "terms": [each.to_json() for each in self.terms],
            "page": self.page.to_json() if self.page else None,
        }


def explain(words: Sequence[str], interactions: Interactions) -> Answer:
    """The answer on codes, on a technique or a word, on two techniques in the order as given, on `order` or on the
    whole `glossary`; without words, every finding. Names may consist of several words. Raises InteractionsError for
    unknown codes and names, and for more than two techniques."""
    known = {**{code: _of_rule(code) for code in RULES}, **{row.code: _of_row(row) for row in interactions}}
    if not words:
        return Answer(tuple(known[code] for code in sorted(known)))
    codes = [word.upper() for word in words]
    if all(code.startswith("EK") for code in codes):
        for code in codes:
            if code not in known:
                raise InteractionsError(f"no finding has the code '{code}'", did_you_mean(code, sorted(known)))
        return Answer(tuple(known[code] for code in dict.fromkeys(codes)))
    phrase = plain_name(" ".join(words))
    if phrase in _PAGES:
        return Answer(terms=glossary()) if phrase == "glossary" else Answer(page=order_page())
    terms = _terms_of(words)
    if len(terms) == 1:
        speaking = [row for row in interactions if any(_fits(terms[0], side) for side in row.sides)]
        return Answer(tuple(known[row.code] for row in speaking), terms=terms)
    one, other = terms
    pairs = [(row, row.first, row.then) for row in interactions if row.first is not None and row.then is not None]
    return Answer(
        tuple(known[row.code] for row, first, then in pairs if _fits(one, first) and _fits(other, then)),
        tuple(known[row.code] for row, first, then in pairs if _fits(other, first) and _fits(one, then)),
        terms,
    )


_PAGES = ("order", "glossary")


def _terms_of(words: Sequence[str]) -> tuple[Term, ...]:
    """The term that all words together name, or the two terms that their first and their last part name."""
    whole = find_term(" ".join(words))
    if whole is not None:
        return (whole,)
    for at in range(1, len(words)):
        one, other = find_term(" ".join(words[:at])), find_term(" ".join(words[at:]))
        if one is not None and other is not None:
            return (one, other)
    unknown = next((word for word in words if find_term(word) is None), None)
    if unknown is not None:
        known = [*term_names(), *_PAGES]
        raise InteractionsError(
            f"no technique or word '{unknown}'",
            did_you_mean(plain_name(unknown), known, "edgekit explain glossary lists every word"),
        )
    raise InteractionsError(
        f"expected codes, or one or two techniques, not {len(words)} words", "edgekit explain quantization pruning"
    )


def _fits(term: Term, side: Condition) -> bool:
    """Whether a row's side can be about a technique: it names the technique's family, and nothing in it excludes the
    technique's other properties."""
    return bool(term.condition) and "family" in side and overlap(side, term.condition)


def _of_rule(code: str) -> Explanation:
    rule = RULES[code]
    evidence = Evidence(kind="documentation", source=rule.source, says="the finding's message has the details")
    return Explanation(
        code, rule.title, PairVerdict.POOR, rule.severity, "", rule.why, "", rule.fix, (evidence,), rule.example
    )


def _of_row(row: Interaction) -> Explanation:
    return Explanation(
        row.code, row.title, row.verdict, row.severity, _rule(row), row.why, row.limits, row.fix, row.evidence,
        row.example,
    )  # fmt: skip


def _rule(row: Interaction) -> str:
    """A row's conditions in words."""
    if row.count is not None:
        parts = [f"at least {row.count} steps: {_step_in_words(row.step or {})}"]
    elif row.step is not None:
        parts = [f"a step: {_step_in_words(row.step)}"]
    else:
        parts = [f"first {_step_in_words(row.first or {})}", f"later {_step_in_words(row.then or {})}"]
    if row.without_before is not None:
        parts.append(f"none before it: {_step_in_words(row.without_before)}")
    if row.without_after is not None:
        parts.append(f"none after it: {_step_in_words(row.without_after)}")
    if row.when:
        parts.append(f"where {', '.join(_property_in_words(*each) for each in row.when.items())}")
    return "; ".join(parts)


def _step_in_words(condition: Condition) -> str:
    family = condition.get("family")
    others = [_property_in_words(*each) for each in condition.items() if each[0] != "family"]
    named = _value_in_words(family) if family is not None else "any technique"
    return f"{named} ({', '.join(others)})" if others else named


def _property_in_words(name: str, constraint: Constraint) -> str:
    spoken = name.replace("_", " ")
    if isinstance(constraint, bool):
        return spoken if constraint else f"not {spoken}"
    return f"{spoken} {_value_in_words(constraint)}"


def _value_in_words(constraint: Constraint) -> str:
    if isinstance(constraint, ValueLimits):
        low = [f"at least {constraint.min:g}"] if constraint.min is not None else []
        high = [f"at most {constraint.max:g}"] if constraint.max is not None else []
        has = [f"with {' and '.join(constraint.has)}"] if constraint.has else []
        lacks = [f"without {' or '.join(constraint.lacks)}"] if constraint.lacks else []
        return ", ".join([*low, *high, *has, *lacks])
    if isinstance(constraint, tuple):
        return " or ".join(constraint)
    return f"{constraint:g}" if isinstance(constraint, float) else str(constraint)
