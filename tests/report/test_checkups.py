import json

from edgekit.report.checkups import checkups_json, checkups_report
from edgekit.runners.doctor import Checkup
from tests.report.rendered import rendered

FOUND = [Checkup("torch", "2.13.0", "training", ""), Checkup("cuda", "", "faster training", "pip install 'x[y]'")]


def test_what_is_missing_stands_with_its_remedy() -> None:
    result = rendered(checkups_report(FOUND))
    assert "missing" in result and "pip install 'x[y]'" in result
    assert json.loads(checkups_json(FOUND))["checkups"][0]["found"] == "2.13.0"
