"""Damaged files and answers, given to every reader in a process of its own, by which its memory is known."""

import json
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from levels import Level

COUNT = 5000
SLOWEST_S = 10.0
MOST_BYTES = 1_000_000_000


def damaged_inputs(random_: random.Random) -> list[Level]:
    """The levels of all readers: what is wrong with how they read, their slowest read, and the memory that reading
    added to their process."""
    names = json.loads(_child("names"))
    seeds = {name: [] for name in names}
    for number in range(COUNT):
        seeds[names[number % len(names)]].append(random_.randrange(2**32))
    wrong: list[str] = []
    slowest, most = 0.0, 0
    for name in names:
        found = json.loads(_child(name, seeds[name]))
        wrong += [f"{name}, seed {seed}: {what}" for seed, what in found["wrong"]]
        slowest, most = max(slowest, found["slowest"]), max(most, found["bytes"])
    for each in wrong:
        print(each)
    what = f"{COUNT:,} damaged inputs over {len(names)} readers"
    return [
        Level(f"{what}: crashes, hangs, unexpected errors", "0", str(len(wrong)), not wrong),
        Level("the slowest of them", f"under {SLOWEST_S:.0f} s", f"{slowest:.2f} s", slowest < SLOWEST_S),
        Level("memory that reading added", "under 1 GB", f"{most / 1e6:.0f} MB", most < MOST_BYTES),
    ]


def _child(name: str, seeds: list[int] | None = None) -> str:
    """What a process prints that reads the damaged inputs of one reader."""
    done = subprocess.run(
        [sys.executable, __file__, name],
        input=json.dumps(seeds or []),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return json.dumps({"wrong": [[-1, f"the process ended: {done.stderr[-300:]}"]], "slowest": 0, "bytes": 0})
    return done.stdout


def _read_all(name: str, seeds: list[int], folder: Path) -> dict[str, Any]:
    from tests.readers import damaged, judge, readers

    reader = readers(folder)[name]
    assert not judge(reader, reader.sound, folder), name
    before, slowest, wrong = _peak_bytes(), 0.0, []
    for seed in seeds:
        content = damaged(reader.sound, random.Random(seed))
        started = time.perf_counter()
        what = judge(reader, content, folder)
        slowest = max(slowest, time.perf_counter() - started)
        if what:
            wrong.append([seed, what])
    return {"wrong": wrong, "slowest": slowest, "bytes": _peak_bytes() - before}


def _peak_bytes() -> int:
    """The peak memory of this process."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        if sys.argv[1] == "names":
            from tests.test_readers import NAMES

            print(json.dumps(NAMES))
        else:
            print(json.dumps(_read_all(sys.argv[1], json.loads(sys.stdin.read()), Path(place))))
