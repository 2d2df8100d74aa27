import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from edgekit.cache import Cache

KEY = "ab" + "0" * 62


def stored(cache: Cache, key: str = KEY, content: str = "x") -> None:
    output, _ = cache.workspace(key)
    (output / "model").write_text(content)
    cache.put(key, {"kind": "step"})


def test_what_is_put_is_got(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.get(KEY) is None
    stored(cache)
    entry = cache.get(KEY)
    assert entry is not None
    assert (entry.folder / "model").read_text() == "x"
    assert entry.record["kind"] == "step"
    assert not any((tmp_path / "partial").iterdir())


def test_an_entry_that_is_not_usable_is_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number in (1, 2):
        entry, existed = cache.entry(KEY, lambda *_, number=number: {"number": number}, usable=lambda _: False)
        assert (entry.record["number"], existed) == (number, False)
    entry, existed = cache.entry(KEY, lambda *_: {"number": 3}, usable=lambda record: record["number"] == 2)
    assert (entry.record["number"], existed) == (2, True)


@pytest.mark.parametrize("damage", ["truncate", "remove", "record"])
def test_a_damaged_entry_is_no_entry(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path)
    stored(cache)
    entry = cache.get(KEY)
    assert entry is not None
    if damage == "truncate":
        (entry.folder / "model").write_text("")
    elif damage == "remove":
        (entry.folder / "model").unlink()
    else:
        (entry.folder / "entry.json").write_text("{")
    assert cache.get(KEY) is None
    stored(cache, content="again")
    assert cache.get(KEY) is not None


def test_unfinished_work_leaves_its_checkpoints_and_nothing_else(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    output, checkpoints = cache.workspace(KEY)
    (output / "half").write_text("")
    (checkpoints / "epoch").write_text("3")
    output, checkpoints = Cache(tmp_path).workspace(KEY)
    assert not any(output.iterdir())
    assert (checkpoints / "epoch").read_text() == "3"
    assert cache.get(KEY) is None


def test_prune_frees_old_entries_and_leaves_young_and_held_ones(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    old, held = KEY, "cd" + "0" * 62
    stored(cache, old)
    stored(cache, held)
    for folder in tmp_path.glob("entries/*/*"):
        os.utime(folder, (time.time() - 86_400 * 3,) * 2)
    stored(cache, "ef" + "0" * 62)
    with Cache(tmp_path).lock(held, lambda: None):
        assert cache.prune(older_than_days=2) > 0
    assert cache.get(old) is None
    assert cache.get(held) is not None
    assert cache.usage().entries == 2
    cache.prune()
    assert cache.usage().entries == 0


def _count_up(folder: Path) -> None:
    cache = Cache(folder)
    for _ in range(20):
        with cache.lock("counter", lambda: None):
            path = folder / "count"
            value = int(path.read_text()) if path.exists() else 0
            time.sleep(0.001)
            path.write_text(str(value + 1))


def test_a_key_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    workers = [multiprocessing.get_context("spawn").Process(target=_count_up, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (tmp_path / "count").read_text() == "60"


def test_waiting_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    other = Cache(tmp_path)
    with other.lock(KEY, lambda: None):
        thread = threading.Thread(target=lambda: _hold(tmp_path, lines))
        thread.start()
        while not lines:
            time.sleep(0.01)
    thread.join()
    assert lines == ["waiting", "held"]


def test_of_several_builds_one_works_and_the_others_take_what_it_left(tmp_path: Path) -> None:
    made: list[str] = []

    def make(output: Path, _: Path) -> dict[str, str]:
        time.sleep(0.2)
        made.append("made")
        (output / "model").write_text("x")
        return {"kind": "step"}

    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(Cache(tmp_path).entry(KEY, make)[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["made"]
    assert sorted(found) == [False, True, True]


def _hold(folder: Path, told: list[str]) -> None:
    with Cache(folder).lock(KEY, lambda: told.append("waiting")):
        told.append("held")
