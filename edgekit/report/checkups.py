"""The output of `edgekit doctor`."""

import json
from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape

from edgekit.report.tables import table
from edgekit.runners.doctor import Checkup

SCHEMA = 1


def checkups_report(found: Sequence[Checkup]) -> RenderableType:
    """One row per piece; for a missing one, how to install it."""
    rows = table("", "piece", "found", "gives", "to get it")
    for each in found:
        rows.add_row(each.name, each.found or "[yellow]missing[/]", each.gives, escape(each.remedy))
    return rows


def checkups_json(found: Sequence[Checkup]) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, "checkups": [each.to_json() for each in found]}, indent=2)
