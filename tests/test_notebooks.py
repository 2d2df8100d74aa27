import edgekit
from edgekit.notebooks import ShownInNotebooks


def test_a_plan_shows_its_report() -> None:
    found = edgekit.plan(recipe="failed-int4-first", targets="rpi4")
    assert isinstance(found, ShownInNotebooks) and "Primary flaw" in found._repr_html_()
