"""The page around the sections, written whole or not at all."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import jinja2

from cekura_sync import clock
from cekura_sync.errors import SettingsError
from cekura_sync.report import agents, first, metrics, queries, scenarios, summary, wording
from cekura_sync.report.queries import Figures
from cekura_sync.report.sections import Section
from cekura_sync.warehouse import disk
from cekura_sync.warehouse.layout import require_outside

TEMPLATE = "page.html.j2"
SECTIONS: Sequence[Callable[[Figures], Section]] = (  # in the order of the page
    agents.changes,
    metrics.metrics,
    agents.over_time,
    scenarios.sudden,
    scenarios.scenarios,
    scenarios.infrastructure,
    agents.every_agent,
)


def write(warehouse: Path, target: Path, reload_after: timedelta | None = None) -> str:
    """Put the page in the place of the file `target`, if there is one; returns its headline. Raises SettingsError, WarehouseError."""
    target = target.resolve()
    _refuse(target, warehouse)
    html, headline = draw(warehouse, reload_after)
    fresh = target.with_name(f".{target.name}.new")
    try:
        with disk.private_files():
            fresh.unlink(missing_ok=True)
            fresh.write_text(html, encoding="utf-8")
        with suppress(PermissionError):  # whoever may read the page may go on reading it
            disk.share_like(fresh, target)
        disk.flush(fresh)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return headline


def draw(warehouse: Path, reload_after: timedelta | None = None) -> tuple[str, str]:
    """The page and its headline; with `reload_after` browsers load it again that often. Raises WarehouseError."""
    found = queries.read(warehouse)
    headline = summary.headline(found)
    return _render(found, headline, reload_after), headline.sentence


def _refuse(target: Path, warehouse: Path) -> None:
    require_outside(warehouse, target)
    if not target.parent.is_dir():
        raise SettingsError(
            f"{target} is in a directory that does not exist: create it, or choose another file."
        )
    if target.exists() and not target.is_file():
        raise SettingsError(f"{target} is not a file that the report could replace: choose another.")


def _render(found: queries.Figures, headline: summary.Headline, reload_after: timedelta | None) -> str:
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = clock.now()
    return environment.get_template(TEMPLATE).render(
        headline=headline,
        reload_seconds=int(reload_after.total_seconds()) if reload_after else None,
        style=(here / "page.css").read_text(encoding="utf-8"),
        written=wording.moment(written),
        freshness=summary.freshness(found, written),
        first=first.screen(found),
        tiles=summary.tiles(found),
        sections=_sections(found),
    )


def _sections(figures: Figures) -> list[Section]:
    """Those that have something to say."""
    return [section for section in (make(figures) for make in SECTIONS) if section.charts]
