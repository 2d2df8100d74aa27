"""Damage, lies, kills and crowds: python benchmarks/faults.py [SECTION...] [--seed N]

Sections: inputs (5,000 damaged files and answers over all readers), answers (100 false answers of a board and false
addresses, given to the command line) and bytes (bits flipped in the cache of a digits build). Prints the levels with
what was found, and writes results/faults.json, which keeps the sections that are not run. Each takes some minutes.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from faults_answers import false_addresses, false_answers
from faults_bytes import flipped_bits
from faults_inputs import damaged_inputs
from levels import Level, print_levels

RESULTS = Path(__file__).parent / "results" / "faults.json"
SECTIONS: dict[str, Callable[[random.Random], Sequence[Level]]] = {
    "inputs": damaged_inputs,
    "answers": lambda random_: [*false_answers(random_), *false_addresses(random_)],
    "bytes": flipped_bits,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent.parent))  # readers and the false board are the tests'
    for name in given.sections or SECTIONS:
        levels = SECTIONS[name](random.Random(given.seed))
        kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        kept[name] = {"seed": given.seed, "levels": [asdict(each) for each in levels]}
        print(f"\n{name}, seed {given.seed}\n")
        print_levels(levels)
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
