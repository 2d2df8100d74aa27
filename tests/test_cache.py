import json
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.cache import _SEAL, Cache, _encode
from edgekit.errors import StorageError

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


def _figure_changed(record: Path) -> None:
    record.write_text(record.read_text().replace('"value": 50.0', '"value": 99.5'))


def _digest_of_another_record(record: Path) -> None:
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, _SEAL: "0" * 64}, indent=2) + "\n")


def _of_another_key(record: Path) -> None:
    text = record.read_text().replace(KEY, "cd" + "0" * 62)
    values = json.loads(text)
    del values[_SEAL]
    record.write_bytes(_encode(values))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "file truncated": lambda record: record.with_name("model").write_text(""),
    "file removed": lambda record: record.with_name("model").unlink(),
    "file added": lambda record: record.with_name("scores.npy").touch(),
    "inner file changed": lambda record: (record.parent / "inner" / "part").write_text("z"),
    "record truncated": lambda record: record.write_text("{"),
    "record of another shape": lambda record: record.write_text("[]"),
    "record of no text": lambda record: record.write_bytes(b"\xff\x00"),
    "record nested too deep": lambda record: record.write_text("[" * 100_000),
    "record of an older edgekit": lambda record: record.write_text('{"kind": "metric", "value": 50.0, "files": {}}'),
    "record with white space": lambda record: record.write_text(record.read_text() + " "),
    "figure changed": _figure_changed,
    "digest changed": _digest_of_another_record,
    "entry of another key": _of_another_key,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_no_entry(tmp_path: Path, damage: str) -> None:
    cache = Cache(tmp_path)

    def make(output: Path, _: Path) -> dict[str, Any]:
        (output / "model").write_text("x")
        (output / "inner").mkdir()
        (output / "inner" / "part").write_text("y")
        return {"kind": "metric", "value": 50.0, "pair": (1, math.nan)}

    made, existed = cache.entry(KEY, make)
    assert not existed
    found = cache.get(KEY)
    assert found is not None and str(found.record) == str(made.record), "what is stored is what was returned"
    DAMAGES[damage](made.folder / "entry.json")
    assert cache.get(KEY) is None
    again, existed = cache.entry(KEY, make)
    assert not existed and again.record["value"] == 50.0 and cache.get(KEY) is not None


def test_no_flipped_bit_of_an_entry_is_taken(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    stored(cache)
    entry = cache.get(KEY)
    assert entry is not None
    for path in sorted(entry.folder.iterdir()):
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            assert cache.get(KEY) is None, (path.name, at)
        path.write_bytes(whole)
    assert cache.get(KEY) is not None


def test_an_entry_that_is_made_again_leaves_the_files_of_its_readers(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    stored(cache, content="first")
    read = cache.get(KEY)
    assert read is not None
    stored(cache, content="second")
    newest = cache.get(KEY)
    assert newest is not None
    assert [(each.folder / "model").read_text() for each in (read, newest)] == ["first", "second"]
    folder = read.folder
    del read
    stored(cache, content="third")
    assert not folder.exists() and newest.folder.exists()


def test_pruning_leaves_what_is_read(tmp_path: Path) -> None:
    stored(Cache(tmp_path))
    entry = Cache(tmp_path).get(KEY)
    assert entry is not None and Cache(tmp_path).prune().in_use == 1
    assert (entry.folder / "model").read_text() == "x"
    del entry
    pruned = Cache(tmp_path).prune()
    assert pruned.bytes > 0 and pruned.in_use == 0 and Cache(tmp_path).get(KEY) is None


def test_an_entry_without_files_is_not_held(tmp_path: Path) -> None:
    entry, _ = Cache(tmp_path).entry(KEY, lambda *_: {"kind": "metric", "value": 1.0})
    assert Cache(tmp_path).prune().in_use == 0 and entry.record["value"] == 1.0


def test_what_an_older_edgekit_or_a_killed_prune_left_is_pruned(tmp_path: Path) -> None:
    older, half = tmp_path / "entries" / "ab" / KEY, tmp_path / "entries" / "ab" / f"{KEY}-1-00000000"
    for folder in (older, half):
        folder.mkdir(parents=True)
        (folder / "model").touch()
    (older / "entry.json").write_text('{"kind": "step", "files": {}}')
    cache = Cache(tmp_path)
    assert cache.get(KEY) is None
    cache.prune()
    assert not older.exists() and not half.exists()


def test_entries_of_a_clock_that_was_ahead_are_pruned(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    stored(cache)
    for folder in tmp_path.glob("entries/*/*"):
        os.utime(folder, (time.time() + 86_400 * 365,) * 2)
    stored(cache, content="made after the clock went back")
    found = cache.get(KEY)
    assert found is not None and (found.folder / "model").read_text() == "made after the clock went back"
    del found
    cache.prune()
    assert cache.usage().entries == 0


def test_a_place_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(StorageError, match="cache is no folder: the cache cannot be there"):
        Cache(tmp_path / "cache")
    with pytest.raises(StorageError, match="cache is no folder"):
        Cache(tmp_path / "cache" / "inner")
    cache = Cache(tmp_path / "later")
    (tmp_path / "later").touch()
    with pytest.raises(StorageError, match=r"partial.* cannot be written: Not a directory: .*later$"):
        stored(cache)
    with pytest.raises(StorageError, match=r"cannot be written: Not a directory: .*later$"):
        cache.entry(KEY, lambda *_: {})


def test_unfinished_work_leaves_its_checkpoints_and_nothing_else(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    output, checkpoints = cache.workspace(KEY)
    (output / "half").write_text("")
    (checkpoints / "epoch").write_text("3")
    output, checkpoints = Cache(tmp_path).workspace(KEY)
    assert not any(output.iterdir())
    assert (checkpoints / "epoch").read_text() == "3"
    assert cache.get(KEY) is None


def test_prune_frees_old_entries_and_leaves_young_ones(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    old = KEY
    stored(cache, old)
    for folder in tmp_path.glob("entries/*/*"):
        os.utime(folder, (time.time() - 86_400 * 3,) * 2)
    stored(cache, "ef" + "0" * 62)
    assert cache.prune(older_than_days=2).bytes > 0
    assert cache.get(old) is None
    assert cache.get("ef" + "0" * 62) is not None
    assert cache.usage().entries == 1
    cache.prune()
    assert cache.usage().entries == 0


def test_prune_leaves_unfinished_work_that_is_held(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with cache.lock(KEY, lambda: None):
        output, _ = cache.workspace(KEY)
        (output / "half").write_text("half")
        assert Cache(tmp_path).prune().in_use == 1 and output.is_dir()
    assert Cache(tmp_path).prune().bytes == 4 and not output.exists()


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
