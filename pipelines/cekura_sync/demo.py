"""The main job on an embedded stand-in API, in one process, over real HTTP."""

import errno
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from cekura_sync import report, settings
from cekura_sync.console import terminal
from cekura_sync.console.signals import Stopped, stop_signals
from cekura_sync.errors import SettingsError
from cekura_sync.sandbox import Sandbox, World, parse_fault
from cekura_sync.sandbox import serve as serve_sandbox
from cekura_sync.settings import Settings
from cekura_sync.sync import sync
from cekura_sync.warehouse import reader
from cekura_sync.warehouse.layout import Layout, wal

FILE = "demo.duckdb"
PAGE = "demo.html"
MARK = "demo"  # this file marks a warehouse that the demo made and may delete
GENERATOR = b'name="generator" content="cekura-sync"'
IN_FLIGHT = 12
NEW = 3
SEED = 13  # by chance one flaky scenario in twenty looks as if it had changed once; here none does
VERSIONS = 13  # of each agent in 90 days: about one a week, the newest since the last week began
STEADY = (0.84, 0.97)  # most scenarios of a suite that people care for pass nearly always
VIEWS = {
    "analytics.agent_pass_rate": "select agent_name, decided_runs, passed_runs, pass_rate, pass_rate_low, pass_rate_high from analytics.agent_pass_rate order by pass_rate",
    "analytics.agent_run_counts": "select agent_name, results, runs, passed_runs, infrastructure_failed_results, cancelled_results from analytics.agent_run_counts order by results desc",
}


def run(results: int) -> None:
    """Sync, let some results finish, sync again, show the views. Raises SettingsError for files that are not the demo's."""
    path = settings.check_warehouse(FILE)
    _make_room(Layout(path), Path(PAGE))
    world = invent(results)
    click.echo(
        f"All data below is invented: a stand-in for the Cekura API serves {results:,} made-up results on loopback.\n"
    )
    with Sandbox(world) as sandbox, TemporaryDirectory(prefix="cekura-sync-demo-") as aside:
        changes = Path(aside, "changes.csv")
        changes.write_text(changes_of(world), encoding="utf-8")
        mine = Settings(api_key=sandbox.key, api_url=sandbox.url, warehouse=path, changes=changes)
        _sync(mine)
        go_on(world)
        click.echo(
            f"\nMeanwhile {IN_FLIGHT} results finish, {NEW} new ones arrive, and an older one turns up that hangs.\n"
        )
        _sync(mine)
    with reader.open_for_reading(path) as con:
        for title, query in VIEWS.items():
            rows = con.execute(query)
            click.echo()
            terminal.print_table([column[0] for column in rows.description or []], rows.fetchall(), title)
    click.echo(f"\n{_report(path)}")
    command = "cekura-sync" if shutil.which("cekura-sync") else sys.argv[0]
    click.echo(
        f"""
The warehouse is {path.resolve()}: open it with any DuckDB client, or run

    {command} query --warehouse {FILE} "select * from analytics.scenario_pass_rate limit 10"
    CEKURA_API_KEY=… {command} sync        # your own results, into {settings.WAREHOUSE}
"""
    )


def invent(results: int, now: datetime | None = None) -> World:
    return World(results=results, in_flight=IN_FLIGHT, seed=SEED, now=now, versions=VERSIONS, steady=STEADY)


def go_on(world: World) -> None:
    """The events between the two syncs."""
    world.finish()
    world.insert(NEW)
    world.insert_late(age=timedelta(hours=3), status="in_progress")


def changes_of(world: World) -> str:
    """The invented team's list of changes; one of them was a mistake."""
    parcel, clinic = (agent.id for agent in world.agents[:2])
    today = world.now()
    rows = [
        f"{parcel},{today - timedelta(days=14):%Y-%m-%d %H:%M},Voice changed",
        f"{clinic},{today - timedelta(days=7):%Y-%m-%d %H:%M},Prompt shortened",
    ]
    return "\n".join(("agent_id,at,note", *rows, ""))


def serve(
    *,
    port: int,
    results: int,
    latency: timedelta,
    shape: str,
    generation: str,
    faults: tuple[str, ...],
) -> None:
    """Serve the stand-in until a signal comes. Raises SettingsError."""
    try:
        ordered = [parse_fault(fault) for fault in faults]
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        serve_sandbox(
            World(results=results),
            ready=_announce,
            port=port,
            latency=latency.total_seconds(),
            shape=shape,
            generation=generation,
            faults=ordered,
        )
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise SettingsError(
            f"Port {port} cannot be used ({error.strerror}): choose another --port, or 0 for a free one."
        ) from None
    except Stopped:
        terminal.message("The stand-in has stopped.")
        raise SystemExit(128 + (stop_signals.received or 0)) from None


def _announce(sandbox: Sandbox) -> None:
    """Prints the line for the shell."""
    click.echo(f"export CEKURA_API_URL={sandbox.url} CEKURA_API_KEY={sandbox.key}")


def _sync(mine: Settings) -> None:
    with terminal.Reporter(quiet=False, verbose=False) as reporter:
        click.echo(sync(mine, reporter).sentence())


def _report(path: Path) -> str:
    """Writes the page and says where, or says why it cannot be drawn."""
    try:
        return report.write(path, Path(PAGE))
    except SettingsError as error:
        return str(error)


def _make_room(files: Layout, page: Path) -> None:
    """Removes the files of an earlier demo. Raises SettingsError for other files of these names."""
    mark = files.home / MARK
    found = next((path for path in (files.published, files.home) if path.exists()), None)
    if found and not mark.exists():
        raise _not_ours(found.name)
    if page.exists() and GENERATOR not in page.read_bytes()[:2000]:
        raise _not_ours(page.name)
    _remove(files)
    files.home.mkdir(mode=0o700, exist_ok=True)
    mark.touch()


def _not_ours(name: str) -> SettingsError:
    return SettingsError(
        f"The {name} in this directory was not made by the demo: move it away, or run the demo in another directory."
    )


def _remove(files: Layout) -> None:
    for leftover in (files.published, wal(files.published), *files.leftovers()):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(files.home, ignore_errors=True)  # last: it holds the mark
