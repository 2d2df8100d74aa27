"""Write ordering.py's measurements into the rows of interactions.toml: python benchmarks/ordering_rows.py

Each row that a question names gets one line of evidence per example; lines of earlier runs are removed.
"""

import json
from pathlib import Path
from typing import Any

import tomlkit
from ordering_arms import BUDGETS

from edgekit.wording import count_of

ROWS = Path(__file__).parent.parent / "edgekit" / "planning" / "interactions.toml"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    document = tomlkit.parse(ROWS.read_text())
    found = [
        each for example in BUDGETS for each in evidence(json.loads((RESULTS / f"ordering_{example}.json").read_text()))
    ]
    for row in document["interactions"]:  # type: ignore[union-attr]
        lines = row["evidence"]
        for index in reversed(range(len(lines))):
            if "question" in lines[index]:
                lines.pop(index)
        for code, line in found:
            if code == row["code"]:
                lines.add_line(_inline(line), indent="    ")
    ROWS.write_text(tomlkit.dumps(document))


def evidence(values: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(code, line of evidence) for each row that an example's results cover."""
    source = f"benchmarks/ordering.py, {values['example']}, {count_of(values['seeds'], 'seed')}"
    found = []
    for each in values["comparisons"]:
        first, second = (values["arms"][each[side]]["stages"][-1]["metric"]["mean"] for side in ("first", "second"))
        line = {
            "kind": "measured",
            "source": source,
            "says": f"{each['first']}: {first:.2f} %; {each['second']}: {second:.2f} %",
            "question": each["question"],
            "points": [round(each[end], 2) + 0.0 for end in ("mean", "low", "high")],
        }
        found += [(code, line) for code in each["codes"]]
    return found


def _inline(line: dict[str, Any]) -> Any:
    """In the style of the table's other lines."""
    text = ", ".join(f"{key} = {tomlkit.item(value).as_string()}" for key, value in line.items())
    return tomlkit.parse(f"line = {{ {text} }}")["line"]


if __name__ == "__main__":
    main()
