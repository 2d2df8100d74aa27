"""False answers of a board, and false addresses, given to the command line."""

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from levels import Level

ANSWERS = 100
ADDRESSES = (
    *("ssh://", "ssh:///", "ssh://:22", "ssh://a:b", "ssh://a:99999", "ssh://a:-1", "ssh://a:22:22", "ssh://u:p@a"),
    *("ssh://-oProxyCommand=touch%20FILE", "ssh://-oProxyCommand=touch FILE", "ssh://-l@a", "ssh://u@-a", "ssh://a/b"),
    *("ssh://a?b", "ssh://a#b", "http://a", "a", "", " ", "ssh://a b", "ssh://a\nb", "ssh://a\tb", "ssh://a\x1b[2J"),
    *("ssh://`touch FILE`", "ssh://$(touch FILE)", "ssh://a;touch FILE", "ssh://a|touch FILE", "ssh://a&&touch FILE"),
    *("ssh://[", "ssh://[::1", "ssh://[::1]x", "ssh://[::g]", "ssh://a%00b", "ssh://\u202ea", "ssh://" + "a" * 5000),
    *("ssh://a@b@c", "ssh://'a'", 'ssh://"a"', "ssh://a\\", "ssh://../../a"),
)


def false_answers(random_: random.Random) -> list[Level]:
    """Whether `targets check` and `bench` refuse what a board answers."""
    from tests.readers import damaged
    from tests.runners.lying import line_of, run_answer, worker_files, write_board
    from tests.runners.pi import TOLD
    from tests.runners.test_answers import LIES

    wrong, taken = [], 0
    look, run = line_of(TOLD), run_answer(worker_files((1, 2, 5)))
    answers = [*LIES.values()]
    while len(answers) < ANSWERS:
        answers.append(damaged(look if len(answers) % 2 else run, random_))
    with tempfile.TemporaryDirectory() as place:
        for number, content in enumerate(answers):
            program = write_board(Path(place, "board"), look=content)
            code, words = _edgekit(["targets", "check", "ssh://pi"], Path(place), EDGEKIT_SSH=program)
            taken += code == 0
            if not _is_refused(code, words) and code:
                wrong.append(f"answer {number}: {code} {words[-300:]}")
    for each in wrong:
        print(each)
    found = f"{len(wrong)}; {taken} were still answers that a board may give"
    return [Level(f"{len(answers)} false answers of a board: not refused in two lines", "0", found, not wrong)]


def false_addresses(_: random.Random) -> list[Level]:
    """Whether each false address is refused, and starts nothing."""
    wrong = []
    with tempfile.TemporaryDirectory() as place:
        for address in ADDRESSES:
            given = address.replace("FILE", f"{place}/started")
            code, words = _edgekit(["targets", "check", "--", given], Path(place))
            if not _is_refused(code, words) or Path(place, "started").exists():
                wrong.append(f"{address!r}: {code} {words[-300:]}")
    for each in wrong:
        print(each)
    what = f"{len(ADDRESSES)} false addresses: not refused in two lines, or a program started"
    return [Level(what, "0", str(len(wrong)), not wrong)]


def _edgekit(arguments: list[str], folder: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )
    return done.returncode, done.stderr


def _is_refused(code: int, words: str) -> bool:
    """Whether a command ended in one line, a hint and exit code 2 or 3; click's errors have its usage above."""
    lines = [line for line in words.splitlines() if line.strip()]
    is_short = len(lines) <= 2 or (lines[0].startswith("Usage:") and len(lines) <= 4)
    return code in (2, 3) and is_short and "unexpected" not in words and "Traceback" not in words
