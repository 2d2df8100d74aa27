"""glossary.toml -> terms: what the words of techniques and tables mean, and which steps a technique's name selects."""

import re
from functools import cache
from pathlib import Path

from edgekit.errors import InteractionsError
from edgekit.planning.interactions import Condition, check_step_condition
from edgekit.records import Record, read_toml, validate

_FILE = Path(__file__).with_name("glossary.toml")


class Term(Record, frozen=True, kw_only=True):
    """A word, its other names, and what it means."""

    name: str
    also: tuple[str, ...] = ()
    means: str
    condition: Condition = {}
    """For a technique: the properties of the steps that apply it."""
    steps: tuple[str, ...] = ()
    """The steps that apply it."""
    missing: str = ""
    """For a technique without a step: why there is none."""

    def __post_init__(self) -> None:
        check_step_condition(self.condition)

    @property
    def is_technique(self) -> bool:
        """Whether it names a technique, with or without a step."""
        return bool(self.condition or self.missing)


@cache
def glossary() -> tuple[Term, ...]:
    """Every term, in the file's order."""
    return tuple(
        validate(Term, table, f"{_FILE.name}, {table.get('name')}", InteractionsError)
        for table in read_toml(_FILE, InteractionsError)["terms"]
    )


def term_names() -> tuple[str, ...]:
    """All names of all terms, as `find_term` compares them."""
    return tuple(_names())


def find_term(phrase: str) -> Term | None:
    """The term of a name. Case, and the kind of space between words, do not count."""
    return _names().get(plain_name(phrase))


def plain_name(phrase: str) -> str:
    """A name in lower case with hyphens between its words."""
    return re.sub(r"[\s_,-]+", "-", phrase.strip().lower()).strip("-")


@cache
def _names() -> dict[str, Term]:
    return {plain_name(name): term for term in glossary() for name in (term.name, *term.also)}
