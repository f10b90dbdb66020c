"""The project built by a real Evidence, and its site in a real browser: every table with the rows of its view, every chart drawn.

`make dashboards` installs Evidence beside the environment that runs the tests; without it these tests are skipped, or, with
CEKURA_TEST_DASHBOARDS=all, fail.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cekura_sync.sandbox import Sandbox, World
from support.browser import CHROMIUM
from support.harness import Account, run
from support.planted import account_with_everything
from support.tab import Tab, browsing

pytestmark = pytest.mark.long

MODULES = Path(sys.prefix, "evidence", "node_modules")
NOW = datetime.now(UTC)
HOSTILE = r"""<img src=x onerror="document.title='run'"> {1/0} 'x" \d ${y} </script><b>&amp;"""
# Each table is there a second time, hidden, for paper.
TABLES = """[...document.querySelectorAll('table')].filter(table => table.offsetParent).map(table =>
  [...table.rows].map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent.trim())).filter(row => row.length))"""
# Every chart has points in the colour of its first series.
DRAWN = """(charts => charts.length == @NUMBER@ && charts.every(chart => {
  const {data} = chart.getContext('2d').getImageData(0, 0, chart.width, chart.height);
  return data.some((red, at) => at % 4 == 0 && red == 0x23 && data[at + 1] == 0x6a && data[at + 2] == 0xa4);
}))([...document.querySelectorAll('canvas')])"""
OPTIONS = "[...document.querySelectorAll('[role=option]')]"
LABEL = "agent_name || ' (' || agent_id || ')'"


@contextmanager
def built(account: Account, folder: Path) -> Iterator[str]:
    """The address of the site, made as our documents say."""
    if not MODULES.exists() or CHROMIUM is None:
        missing = f"Chromium or Evidence (in {MODULES.parent}) is missing: run `make dashboards`."
        (pytest.fail if os.environ.get("CEKURA_TEST_DASHBOARDS") == "all" else pytest.skip)(missing)
    ran = run("dashboards", "evidence", "--to", str(folder), "--warehouse", str(account.warehouse), env={})
    assert ran.code == 0, ran.err
    (folder / "node_modules").symlink_to(MODULES)
    for script in ("sources", "build"):
        made = subprocess.run(["npm", "run", script], cwd=folder, capture_output=True, text=True)  # noqa: S607
        assert made.returncode == 0, made.stdout + made.stderr
    handler = partial(QuietHandler, directory=folder / "build")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionError):  # the browser has gone to the next page
            super().handle()

    def log_message(self, *args: object) -> None:
        pass


def tables(tab: Tab, address: str, number: int) -> list[list[list[str]]]:
    """The rows of each table of a page, as soon as all are there."""
    tab.open(address)
    return tab.wait(f"{TABLES}.filter(rows => rows.length).length == {number} && {TABLES}")


def shown(rows: list[Any]) -> list[list[str]]:
    """As a page shows them: shares in percent, rounded half up."""
    return [[_percent(value) if isinstance(value, float) else str(value) for value in row] for row in rows]


def _percent(share: float) -> str:
    return f"{Decimal(repr(100 * share)).quantize(Decimal('0.1'), ROUND_HALF_UP)}%"


def rename_an_agent(account: Account, name: str) -> None:
    last = account.world.agents[-1].id
    for id_, row in [*account.world.results.items()]:
        if row["agent"] == last:
            account.world.touchless_edit(id_, agent_name=name)
    assert account.sync("--full").code == 0


def test_every_page_shows_the_rows_of_its_view_even_with_hostile_names_and_asks_nobody_else(
    tmp_path: Path,
) -> None:
    with account_with_everything(tmp_path, NOW) as account:
        rename_an_agent(account, HOSTILE)
        with built(account, tmp_path / "site") as address, browsing(tmp_path) as (tab, urls):
            look_at_the_last_week(tab, address, account)
            look_at_the_scenarios(tab, address, account)
            look_at_the_infrastructure(tab, address, account)
            look_at_the_agents(tab, address, account)
            assert tab.run("document.title") == "Agents over time"

    assert [url for url in urls if url.endswith(".parquet")]
    assert [url for url in urls if not url.startswith((address, f"blob:{address}"))] == []


def look_at_the_last_week(tab: Tab, address: str, account: Account) -> None:
    last_week, drivers = tables(tab, f"{address}/", 2)
    select = f"select {LABEL} as agent, verdict, previous_pass_rate, pass_rate from analytics.agent_last_week order by coalesce(adjusted_difference, difference), agent"
    assert [row[:4] for row in last_week] == shown(account.query(select))
    assert any(row[0].startswith(HOSTILE) for row in last_week)
    assert len(drivers) == 20  # of a page
    ((results,),) = account.query("select live_results from analytics.sync_status")
    assert str(results) in tab.run("document.body.innerText").split()


def look_at_the_scenarios(tab: Tab, address: str, account: Account) -> None:
    (scenarios,) = tables(tab, f"{address}/scenarios/", 1)
    select = (
        f"select {LABEL}, scenario_name, pass_rate from analytics.scenario_pass_rate where decided_runs > 0"
    )
    rows = [tuple(row) for row in shown(account.query(select))]
    assert len(scenarios) == min(25, len(rows))
    assert {tuple(row[:3]) for row in scenarios} <= {*rows}


def look_at_the_infrastructure(tab: Tab, address: str, account: Account) -> None:
    (lost,) = tables(tab, f"{address}/infrastructure/", 1)
    select = f"select cast(day as varchar), {LABEL} from analytics.infrastructure_failures_daily where failed + timeout + lost_runs > 0"
    assert {tuple(row[:2]) for row in lost} == {*account.query(select)}
    assert tab.wait(DRAWN.replace("@NUMBER@", "1"))


def look_at_the_agents(tab: Tab, address: str, account: Account) -> None:
    agents = f"select distinct {LABEL} as agent, dense_rank() over (order by agent) as number from analytics.agent_weekly"
    weeks = f"select cast(week as varchar), pass_rate from analytics.agent_weekly join ({agents}) on agent = {LABEL} where number = @NUMBER@ order by week desc"
    first, second = (shown(account.query(weeks.replace("@NUMBER@", str(number)))) for number in (1, 2))

    chosen, changes = tables(tab, f"{address}/agents/", 2)

    assert [row[:2] for row in chosen] == first != second
    select = f"select {LABEL}, note, verdict from analytics.agent_change_effect"
    assert {tuple(row[1:4]) for row in changes} == {*account.query(select)}
    assert tab.wait(DRAWN.replace("@NUMBER@", "2"))
    tab.run("document.querySelector('[role=combobox]').click()")
    tab.wait(f"{OPTIONS}.length > 1")
    tab.run(f"{OPTIONS}[1].click()")
    # The browser's own DuckDB reads this in the site's Parquet files.
    tab.wait(f"{TABLES}[0].length == {len(second)} && {TABLES}[0][0][1] == '{second[0][1]}'")
    assert [row[:2] for row in tab.run(TABLES)[0]] == second


def test_an_account_without_results_has_a_site(tmp_path: Path) -> None:
    with Sandbox(World(results=0, now=NOW)) as sandbox:
        account = Account(sandbox, tmp_path / "warehouse.duckdb")
        assert account.sync().code == 0
        with built(account, tmp_path / "site") as address, browsing(tmp_path) as (tab, _):
            for page, says in (
                ("", "No agent has results yet."),
                ("agents/", "No change was noted yet."),
                ("scenarios/", "No scenario has a decided run yet."),
                ("infrastructure/", "Nothing was lost in the last 90 days."),
            ):
                tab.open(f"{address}/{page}")
                tab.wait(f"document.body?.innerText.includes('{says}')")
                tab.wait("!document.body.innerText.includes('Loading')")
