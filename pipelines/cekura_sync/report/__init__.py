"""The report: one HTML page of what the analytics views say. It loads nothing and runs no script.

queries.py      what the views say: the queries of sql/report, as rows
wording.py      numbers, names and findings in words
first.py        the first screen: who changed, what drives it, since when
charts.py       charts as SVG
tables.py       what a chart shows, in figures
sections.py     the parts of a section
summary.py      headline, age of the data, today's figures
agents.py, scenarios.py, metrics.py   the sections
page.py         their order, and the page, written whole or not at all
"""

from datetime import timedelta
from pathlib import Path
from types import ModuleType

from cekura_sync.errors import SettingsError

DRAWN_WITH = {"altair", "jinja2", "markupsafe", "vl_convert"}


def write(warehouse: Path, output: Path, reload_after: timedelta | None = None) -> str:
    """Write the page and say so; with `reload_after` browsers load it again that often. Raises SettingsError, WarehouseError."""
    headline: str = _page().write(warehouse, output, reload_after)
    return f"The report is {output.resolve()}: {headline}."


def draw(warehouse: Path) -> str:
    """The page as HTML. Raises SettingsError, WarehouseError."""
    html: str
    html, _ = _page().draw(warehouse)
    return html


def _page() -> ModuleType:
    """Raises SettingsError when the libraries that draw are not installed."""
    try:
        from cekura_sync.report import page
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in DRAWN_WITH:
            raise
        raise SettingsError(
            f"The report needs {missing.name}, which is not installed: run `pip install '.[report]'` in a checkout of cekura-sync."
        ) from missing
    return page
