"""`sync --report`: a page that follows the warehouse, and never makes a sync fail."""

import re
from pathlib import Path

import pytest

from support.harness import Account
from support.rare import rare

REFRESH = '<meta http-equiv="refresh" content="300">'


def test_the_page_is_written_when_it_is_missing_or_something_changed(
    settled: Account, tmp_path: Path
) -> None:
    page = tmp_path / "wall.html"

    assert settled.sync("--report", str(page)).err == ""
    first = page.stat().st_ino
    settled.sync("--report", str(page))
    assert page.stat().st_ino == first
    page.chmod(0o644)  # a web server shows it
    settled.world.insert(1)
    settled.sync("--report", str(page))

    assert page.stat().st_ino != first
    assert page.stat().st_mode & 0o777 == 0o644
    assert REFRESH in page.read_text()


def test_a_page_that_was_asked_for_once_does_not_reload_itself(synced: Account, tmp_path: Path) -> None:
    page = tmp_path / "once.html"

    assert synced.run("report", "-o", str(page)).code == 0

    assert re.search("http-equiv=.?refresh", page.read_text()) is None


@pytest.mark.parametrize(
    "place", ["nowhere/wall.html", "warehouse.duckdb", *rare("warehouse.duckdb.d/wall.html")]
)
def test_a_page_that_cannot_be_written_is_a_warning(settled: Account, tmp_path: Path, place: str) -> None:
    settled.world.insert(1)

    ran = settled.sync("--report", str(tmp_path / place))

    assert (ran.code, ran.json["inserted"]) == (0, 1)
    assert ran.err.startswith("Warning: The report could not be written: ")
    assert "Check --report." in ran.err


def test_a_dry_run_writes_no_page(settled: Account, tmp_path: Path) -> None:
    settled.sync("--dry-run", "--report", str(tmp_path / "wall.html"))

    assert not (tmp_path / "wall.html").exists()
