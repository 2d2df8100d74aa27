import time

import pytest

from edgekit.progress import Silent
from edgekit.studies.pace import Budget, OutOfTime, Pace


class Told(Silent):
    def __init__(self) -> None:
        self.told: list[str] = []

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        self.told.append(name)

    def note(self, text: str) -> None:
        self.told.append(text)


def test_a_budget_ends_the_work_between_epochs_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budget = Budget(Silent(), 10)
    for now[0] in (5, 10):
        budget.step_started("t", 1, 2, "train")
        budget.advanced("training", 1, 2)
    now[0] = 10.1
    for call in (lambda: budget.step_started("t", 1, 2, "train"), lambda: budget.advanced("training", 1, 2)):
        with pytest.raises(OutOfTime):
            call()
    assert not issubclass(OutOfTime, Exception), "no step may take it for a fault of its own"
    Budget(Silent(), None).check()


def test_only_what_is_news_is_reported() -> None:
    result = Told()
    budget = Budget(result, None)
    for cached in (True, False):
        budget.step_finished("t", 1, 2, "train", cached=cached, seconds=1.0)
        budget.note("the norms lag")
    assert result.told == ["the norms lag", "train"]


def test_what_is_left_is_told_by_what_was_done() -> None:
    pace = Pace({"a": 10, "b": 30, "c": 60})
    assert pace.remaining() == ""
    pace.done("a", 20.0, cached=True)
    assert pace.remaining() == "", "the cache tells nothing of how long work takes"
    pace.done("b", 15.0, cached=False)
    assert pace.remaining() == "about 30 s left"
    pace.done("b", 0.0, cached=True)
    assert pace.remaining() == "about 30 s left"
    assert Pace({"a": 1, "b": 100}).remaining() == ""
    slow = Pace({"a": 1, "b": 100})
    slow.done("a", 6.0, cached=False)
    assert slow.remaining() == "about 10 min left"
    slow.done("b", 600.0, cached=False)
    assert slow.remaining() == ""
