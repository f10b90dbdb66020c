"""What a page is made of: sections of charts, each with the finding that it shows and its table."""

from dataclasses import dataclass

from markupsafe import Markup

from cekura_sync.report.tables import Table


@dataclass(frozen=True)
class Chart:
    """A finding with what it was found in."""

    finding: Markup
    drawing: Markup | None
    table: Table
    note: str | Markup = ""
    tone: str = ""  # worse, better, or neither


@dataclass(frozen=True)
class Section:
    heading: str
    lead: str
    charts: list[Chart]
