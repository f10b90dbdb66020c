"""The main job on an embedded stand-in API, in one process, over real HTTP."""

import errno
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import click

from cekura_sync import reading, report, settings, terminal
from cekura_sync.disk import Fingerprint, write_json
from cekura_sync.errors import SettingsError
from cekura_sync.layout import Layout, read_json, wal
from cekura_sync.sandbox import Sandbox, World, parse_fault
from cekura_sync.sandbox import serve as serve_sandbox
from cekura_sync.settings import Settings
from cekura_sync.stopping import Stopped, stop_signals
from cekura_sync.sync import sync

FILE = "demo.duckdb"
PAGE = "demo.html"
CHANGES = "changes.csv"
MADE = "demo.json"  # in the private directory: which files the demo left where they are
IN_FLIGHT = 12
NEW = 3
VIEWS = {
    "analytics.agent_pass_rate": "select agent_name, decided_runs as runs, passed_runs as passed, pass_rate, pass_rate_low as low, pass_rate_high as high from analytics.agent_pass_rate order by pass_rate",
    "analytics.agent_run_counts": "select agent_name, results, runs, passed_runs as passed, infrastructure_failed_results as failed, cancelled_results as cancelled from analytics.agent_run_counts order by results desc",
}


def run(results: int) -> None:
    """Sync, let some results finish, sync again, show what the views say."""
    path = Path(FILE)
    world = invent(results)
    with _own_files(path, Path(PAGE)):
        _show(path, world, results)


def _show(path: Path, world: World, results: int) -> None:
    click.echo(
        f"All data below is invented: a stand-in for the Cekura API serves {results:,} made-up results on loopback.\n"
    )
    with Sandbox(world) as sandbox, tempfile.TemporaryDirectory() as elsewhere:
        changes = Path(elsewhere, CHANGES)
        changes.write_text(changes_of(world), encoding="utf-8")
        mine = Settings(api_key=sandbox.key, api_url=sandbox.url, warehouse=path, changes=changes)
        _sync(mine)
        go_on(world)
        click.echo(
            f"\nMeanwhile {IN_FLIGHT} results finish, {NEW} new ones arrive, and an older one turns up that hangs.\n"
        )
        _sync(mine)
    with reading.open_warehouse(path) as con:
        for title, query in VIEWS.items():
            rows = con.execute(query)
            click.echo()
            terminal.print_table([column[0] for column in rows.description or []], rows.fetchall(), title)
    click.echo(f"\n{_report(path)}")
    command = "cekura-sync" if shutil.which("cekura-sync") else sys.argv[0]
    click.echo(
        f"""
The warehouse is {path.resolve()}: open it with any DuckDB client, or type

    {command} query --warehouse {FILE} "select * from analytics.scenario_pass_rate limit 10"
    CEKURA_API_KEY=… {command} sync        # your own results, into {settings.WAREHOUSE}
"""
    )


def invent(results: int, now: datetime | None = None) -> World:
    return World(results=results, in_flight=IN_FLIGHT, seed=7, now=now)


def go_on(world: World) -> None:
    """What happens between the two syncs."""
    world.finish()
    world.insert(NEW)
    world.insert_late(age=timedelta(hours=3), status="in_progress")


def changes_of(world: World) -> str:
    """What the invented team noted of its changes; one of them was a mistake."""
    parcel, clinic = (agent.id for agent in world.agents[:2])
    today = world.now()
    rows = [
        f"{parcel},{today - timedelta(days=14):%Y-%m-%d %H:%M},Voice changed",
        f"{clinic},{today - timedelta(days=7):%Y-%m-%d %H:%M},Prompt shortened",
    ]
    return "\n".join(("agent_id,at,note", *rows, ""))


def serve(*, port: int, results: int, latency: timedelta, shape: str, faults: tuple[str, ...]) -> None:
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
            faults=ordered,
        )
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise SettingsError(
            f"Port {port} cannot be served ({error.strerror}): choose another --port, or 0 for a free one."
        ) from None
    except Stopped:
        terminal.message("The stand-in has stopped.")
        raise SystemExit(128 + (stop_signals.received or 0)) from None


def _announce(sandbox: Sandbox) -> None:
    """What a shell needs to be told, as it needs to be told it."""
    click.echo(f"export CEKURA_API_URL={sandbox.url} CEKURA_API_KEY={sandbox.key}")


def _sync(mine: Settings) -> None:
    with terminal.Reporter(quiet=False, verbose=False) as reporter:
        click.echo(sync(mine, reporter).sentence())


def _report(path: Path) -> str:
    """What became of the page. That nothing can draw it is no reason to show nothing."""
    try:
        return report.write(path, Path(PAGE))
    except SettingsError as error:
        return str(error)


@contextmanager
def _own_files(path: Path, page: Path) -> Iterator[None]:
    """Room for the demo's files, and a note of which those are. Raises SettingsError where others stand."""
    files = Layout(path)
    note = files.home / MADE
    _require_own(files, page, read_json(note))
    shutil.rmtree(files.home, ignore_errors=True)
    for leftover in (files.published, wal(files.published), files.incoming, page):
        leftover.unlink(missing_ok=True)
    files.home.mkdir(mode=0o700)
    try:
        yield
    finally:
        write_json(note, {file.name: Fingerprint.of(file) for file in (files.published, page)})


def _require_own(files: Layout, page: Path, made: dict[str, object]) -> None:
    others = [
        file
        for file in (files.published, page)
        if (found := Fingerprint.of(file)) is not None and list(found) != made.get(file.name)
    ]
    if files.home.exists() and not made:
        others.append(files.home)
    if others:
        raise SettingsError(
            f"{others[0].name} is not as a demo left it, and would be overwritten: move it away, or run the demo in another directory."
        )
