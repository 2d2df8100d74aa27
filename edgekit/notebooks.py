"""Results that a notebook shows as their report."""

from importlib import import_module


class ShownInNotebooks:
    """A result with a report: a notebook shows the report as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        # Found by name, because nothing here may import from a higher floor.
        html: str = import_module(f"{__name__.partition('.')[0]}.report.notebooks").html_report(self)
        return html
