"""Explanations of findings: when one applies, why, the evidence, and an example with and without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.contract.technique import Family
from edgekit.errors import InteractionsError, did_you_mean
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
)


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


def explain(words: Sequence[str], interactions: Interactions) -> tuple[Explanation, ...]:
    """Explanations of codes, of a technique, or of two techniques in either order; of everything without words. Raises
    InteractionsError for an unknown code or technique, and for more than two techniques."""
    known = {**{code: _of_rule(code) for code in RULES}, **{row.code: _of_row(row) for row in interactions}}
    if not words:
        return tuple(known[code] for code in sorted(known))
    codes = [word.upper() for word in words]
    if all(code.startswith("EK") for code in codes):
        for code in codes:
            if code not in known:
                raise InteractionsError(f"no finding has the code '{code}'", did_you_mean(code, sorted(known)))
        return tuple(known[code] for code in dict.fromkeys(codes))
    if len(words) > 2:
        raise InteractionsError(
            f"expected codes, or one or two techniques, not {len(words)} words",
            "edgekit explain quantization pruning",
        )
    families = [family_of(word) for word in words]
    return tuple(known[row.code] for row in interactions if _speaks_of(row, families))


def family_of(word: str) -> Family:
    """The technique family that a word names: a family, a step, or a synonym. Raises InteractionsError."""
    load_all()
    steps = {name: kind().technique(None).family for name, kind in Step.registry.items()}
    names = {**{each.value: each for each in Family}, **steps, **_ALSO_CALLED}
    if word.lower() not in names:
        raise InteractionsError(f"no technique '{word}'", did_you_mean(word.lower(), list(names)))
    return names[word.lower()]


_ALSO_CALLED: Mapping[str, Family] = {
    "distil": Family.DISTILLATION,
    "knowledge-distillation": Family.DISTILLATION,
    "kd": Family.DISTILLATION,
    "pruned": Family.PRUNING,
    "sparsity": Family.PRUNING,
    "ptq": Family.QUANTIZATION,
    "int8": Family.QUANTIZATION,
    "int4": Family.QUANTIZATION,
    "quantisation": Family.QUANTIZATION,
    "fusion": Family.GRAPH,
    "graph-optimization": Family.GRAPH,
    "optimization": Family.GRAPH,
}


def _speaks_of(row: Interaction, families: Sequence[Family]) -> bool:
    if len(families) == 1:
        return any(families[0] in each for each in row.families)
    if row.first is None:
        return False
    orders = (families, families[::-1])
    return any(all(one in each for one, each in zip(order, row.families, strict=True)) for order in orders)


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
