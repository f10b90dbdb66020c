"""Which sections the page has, and their order."""

from collections.abc import Callable, Sequence

from cekura_sync.report import agents, trouble, why
from cekura_sync.report.content import Section
from cekura_sync.report.figures import Figures

SECTIONS: Sequence[Callable[[Figures], Section]] = (
    agents.changes,
    why.metrics,
    agents.over_time,
    trouble.scenarios,
    trouble.infrastructure,
    agents.every_agent,
)


def all_of(figures: Figures) -> list[Section]:
    """In the order of the page, without those that have nothing to say."""
    return [section for section in (make(figures) for make in SECTIONS) if section.charts]
