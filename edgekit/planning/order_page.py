"""order.toml -> the page on why the order of techniques matters, with the measurements of the rows that it names."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from edgekit.errors import InteractionsError
from edgekit.planning.interactions import Interactions
from edgekit.records import Record, read_toml, validate

_FILE = Path(__file__).with_name("order.toml")


class Section(Record, frozen=True):
    """A question, its answer, and what the measurements could not show."""

    question: str
    answer: str
    rows: tuple[str, ...]
    """The codes of the rows that it rests on."""
    limits: str

    def evidence(self, interactions: Interactions) -> Iterator[tuple[str, str]]:
        """The codes and statements of the measurements of the section's rows, one for each question; of rows without
        one, of the publications that they cite."""
        for row in (row for code in self.rows for row in interactions if row.code == code):
            measured = [each for each in row.evidence if each.question and each.points]
            for question in dict.fromkeys(each.question for each in measured):
                answers = [each.answer for each in measured if each.question == question]
                yield row.code, f"{question}: {'; '.join(answers)}"
            if not measured:
                cited = [each for each in row.evidence if each.kind in ("paper", "published", "measured")]
                yield from ((row.code, f"{each.source}: {each.says}") for each in cited)


class Page(Record, frozen=True):
    about: str
    """What the figures are."""
    sections: tuple[Section, ...]


@cache
def order_page() -> Page:
    """The page."""
    page: Page = validate(Page, read_toml(_FILE, InteractionsError), _FILE.name, InteractionsError)
    return page
