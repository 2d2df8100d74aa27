import json

from rich.console import Console

from edgekit.doctor import Checkup
from edgekit.report.checkups import checkups_json, checkups_report

FOUND = [Checkup("torch", "2.13.0", "training", ""), Checkup("cuda", "", "faster training", "pip install 'x[y]'")]


def test_what_is_missing_stands_with_its_remedy() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(checkups_report(FOUND))
    assert "missing" in captured.get() and "pip install 'x[y]'" in captured.get()
    assert json.loads(checkups_json(FOUND))["checkups"][0]["found"] == "2.13.0"
