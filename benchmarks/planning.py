"""Measure the wall time of the planner's commands: python benchmarks/planning.py

Each command runs as a separate process, in turns with the others, inside and outside of a project. Prints the lowest,
median and highest seconds (native) beside the level, and writes results/planning.json.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgekit.host import this_host

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
RESULTS = Path(__file__).parent / "results" / "planning.json"
ROUNDS = 21
LEVEL_S = 0.3
COMMANDS: dict[str, tuple[list[str], bool]] = {
    "plan, no project": (["plan"], False),
    "plan, digits": (["plan"], True),
    "plan --json, digits": (["plan", "--json"], True),
    "plan of the failed recipe": (["plan", "--recipe", "failed-int4-first"], False),
    "explain EK101": (["explain", "EK101"], False),
}
"""Arguments, and whether the command runs in a project's folder."""


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="edgekit-") as nowhere:
        for _ in range(ROUNDS + 1):
            for name, (arguments, in_project) in COMMANDS.items():
                seconds[name].append(taken(arguments, DIGITS if in_project else Path(nowhere)))
    warm = {name: values[1:] for name, values in seconds.items()}
    print(f"{this_host().cpu_name}, {ROUNDS} rounds, seconds, native\n")
    print("| command | level | lowest | median | highest | met |\n|---|---|---|---|---|---|")
    for name, values in warm.items():
        middle = statistics.median(values)
        figures = f"{min(values):.3f} | {middle:.3f} | {max(values):.3f}"
        print(f"| {name} | under {LEVEL_S} | {figures} | {'yes' if middle < LEVEL_S else '**no**'} |")
    RESULTS.write_text(json.dumps({"host": this_host().cpu_name, "seconds": warm}, indent=2) + "\n")


def taken(arguments: list[str], folder: Path) -> float:
    """The seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "edgekit", *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
