"""The command line: options in, tables or JSON on stdout, everything else on stderr, one exit code per kind of failure."""

import json
import signal
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import click

from cekura_sync import __version__, errors, settings, terminal
from cekura_sync.stopping import Stopped, stop_signals


class ExitCode(IntEnum):
    """What the exit status means. Nothing has changed unless it is OK."""

    OK = 0
    """done, committed"""
    BUG = 1
    """a bug in us"""
    USAGE = 2
    """usage or configuration"""
    KEY_REFUSED = 3
    """key refused (401, 403)"""
    UNAVAILABLE = 4
    """API unreachable, down, or rate-limiting past the budget"""
    UNBELIEVABLE = 5
    """answers that cannot be believed, or a SQL model or check failed"""
    UNVERIFIED = 6
    """the listing could not be verified as complete"""
    MASS_DELETE = 7
    """refused: the sync would mark too much as deleted"""
    BUSY = 8
    """another sync is running on this warehouse"""
    WAREHOUSE = 9
    """warehouse file or disk: unreadable, foreign, full, not permitted"""
    STALE = 10
    """status: older than --max-age"""
    INTERRUPTED = 130
    """interrupted"""
    TERMINATED = 143
    """terminated"""


_EXIT_CODES: dict[type[Exception], ExitCode] = {
    click.UsageError: ExitCode.USAGE,
    errors.SettingsError: ExitCode.USAGE,
    errors.KeyRefused: ExitCode.KEY_REFUSED,
    errors.ApiUnavailable: ExitCode.UNAVAILABLE,
    errors.UnbelievableAnswer: ExitCode.UNBELIEVABLE,
    errors.ModelError: ExitCode.UNBELIEVABLE,
    errors.ListingUnverified: ExitCode.UNVERIFIED,
    errors.MassDeleteRefused: ExitCode.MASS_DELETE,
    errors.WarehouseBusy: ExitCode.BUSY,
    errors.WarehouseError: ExitCode.WAREHOUSE,
    OSError: ExitCode.WAREHOUSE,
}


def exit_code_for(error: BaseException) -> ExitCode:
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), ExitCode.BUG)


def warehouse_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--warehouse",
        envvar="CEKURA_WAREHOUSE",
        default=settings.WAREHOUSE,
        show_default=True,
        show_envvar=True,
        metavar="PATH",
        help="The DuckDB file that readers open.",
    )(command)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="cekura-sync")
@click.pass_context
def cli(context: click.Context) -> None:
    """Copy Cekura test results into a local DuckDB warehouse: complete, incremental, ready for SQL.

    The API key comes from CEKURA_API_KEY, or from the file of Cekura's own CLI, ~/.cekura/config.toml.
    Durations read 90s, 15m, 24h, 7d.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(ExitCode.USAGE)


@cli.command()
@click.option(
    "--api-url", metavar="URL", help=f"The API's address.  [env: CEKURA_API_URL; default: {settings.API_URL}]"
)
@click.option(
    "--api-version",
    metavar="|".join(settings.API_VERSIONS),
    help=f"The version in the path.  [env: CEKURA_API_VERSION; default: {settings.API_VERSION}]",
)
@click.option("--allow-http", is_flag=True, help="Send the key over plain http to other machines too.")
@click.option(
    "--warehouse",
    metavar="PATH",
    help=f"The file that readers open.  [env: CEKURA_WAREHOUSE; default: {settings.WAREHOUSE}]",
)
@click.option("--agent-id", type=click.IntRange(min=0), help="Only results of this agent.")
@click.option("--project-id", type=click.IntRange(min=0), help="Only results of this project.")
@click.option("--search", metavar="TEXT", help="Only results whose name holds this text.")
@click.option("--scenarios", metavar="ID,ID", help="Only results with runs of these scenarios.")
@click.option("--full", is_flag=True, help="Read everything now.")
@click.option(
    "--full-every",
    metavar="DUR",
    help=f"Read everything when the last full sync is older; 0 never.  [env: CEKURA_FULL_EVERY; default: {settings.FULL_EVERY}]",
)
@click.option(
    "--lookback",
    metavar="DUR",
    help=f"How far behind the watermark a quick sync reads.  [env: CEKURA_LOOKBACK; default: {settings.LOOKBACK}]",
)
@click.option(
    "--page-size",
    type=click.IntRange(1, 10_000),
    help=f"Asked-for page size.  [default: {settings.PAGE_SIZE}]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    help=f"Requests in flight at most.  [default: {settings.CONCURRENCY}]",
)
@click.option(
    "--timeout", metavar="DUR", help="Budget of the whole sync.  [default: 1h; 6h before the first full sync]"
)
@click.option("--allow-mass-delete", is_flag=True, help="Accept that many or all known results are gone.")
@click.option("--dry-run", is_flag=True, help="Read and compare, write nothing, print what would change.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
def sync(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> None:
    """Bring the warehouse up to date with the API."""
    resolved = settings.resolve(options)
    from cekura_sync.sync import sync as run_sync

    with terminal.Reporter(quiet=quiet, verbose=verbose, swapping=stop_signals.hold) as reporter:
        outcome = run_sync(resolved, reporter)
    if as_json:
        terminal.print_outcome(outcome.as_json())
    elif not quiet:
        terminal.message(outcome.sentence(dry_run=resolved.dry_run))


@cli.command()
@click.option(
    "--results", type=click.IntRange(min=1), default=3000, show_default=True, help="Results to invent."
)
def demo(results: int) -> None:
    """Sync invented results from an embedded stand-in API and show the main views."""
    from cekura_sync import demo as demonstration

    demonstration.run(results)


@cli.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free one."
)
@click.option(
    "--results", type=click.IntRange(min=0), default=2000, show_default=True, help="Results to invent."
)
@click.option("--latency", metavar="DUR", default="0s", show_default=True, help="Delay of every answer.")
@click.option(
    "--shape",
    type=click.Choice(["observed", "literal"]),
    default="observed",
    show_default=True,
    help="Payloads as observed, or as the specification types them.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[@N]",
    help="Misbehave, as in 429@3 or html:0.1; repeatable.",
)
def sandbox(port: int, results: int, latency: str, shape: str, faults: tuple[str, ...]) -> None:
    """Serve a stand-in for the Cekura API, with invented data, on loopback."""
    from cekura_sync import demo as demonstration

    demonstration.serve(
        port=port, results=results, latency=settings.duration(latency), shape=shape, faults=faults
    )


@cli.command()
@warehouse_option
def build(warehouse: str) -> None:
    """Rebuild the SQL views in the warehouse, after a change to sql/."""
    from cekura_sync.sync import rebuild

    names = rebuild(settings.check_warehouse(warehouse), stop_signals.hold)
    terminal.message(f"Built {len(names)} views: {', '.join(names)}.")


@cli.command()
@warehouse_option
def check(warehouse: str) -> None:
    """Run the SQL checks against the warehouse."""
    from cekura_sync import models, reading

    with reading.open_warehouse(settings.check_warehouse(warehouse)) as con:
        findings = models.check(con)
    for finding in findings:
        terminal.message(
            f"{finding.check}: {finding.rows} wrong rows, such as {finding.example}: {finding.question}"
        )
    if findings:
        raise errors.ModelError(
            f"{len(findings)} checks failed: the warehouse breaks our own rules, please report it."
        )
    terminal.message("All checks hold.")


@cli.command()
@warehouse_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--max-age", metavar="DUR", help="Exit 10 when the last completed sync is older.")
def status(warehouse: str, as_json: bool, max_age: str | None) -> None:
    """Say when the last sync completed and what the warehouse holds."""
    from cekura_sync.status import read_status

    limit = settings.duration(max_age) if max_age is not None else None
    state = read_status(settings.check_warehouse(warehouse))
    try:
        click.echo(json.dumps(state.as_json()) if as_json else terminal.plain(state.sentence()))
    finally:
        if limit is not None and (state.age is None or state.age > limit):
            raise SystemExit(ExitCode.STALE)


@cli.command()
@click.argument("sql")
@warehouse_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header line.")
def query(sql: str, warehouse: str, as_json: bool, as_csv: bool) -> None:
    """Run one SQL query, read only, and print its rows."""
    from cekura_sync import reading

    if as_json and as_csv:
        raise click.UsageError("Choose --json or --csv, not both.")
    columns, rows = reading.run_query(settings.check_warehouse(warehouse), sql)
    show = terminal.print_json if as_json else terminal.print_csv if as_csv else terminal.print_table
    show(columns, rows)


def run(arguments: list[str]) -> ExitCode:
    """Run a command; every failure becomes one sentence and one exit code."""
    try:
        stop_signals.heed()
        code = cli.main(arguments, prog_name="cekura-sync", standalone_mode=False)
        return ExitCode(code or 0)
    except SystemExit as stop:
        # With 1 click and rich leave when the reader of a pipe has gone: it wants no more.
        return ExitCode.OK if stop.code == 1 else ExitCode(int(stop.code or 0))
    except BaseException as error:
        stop_signals.hold()
        return _fail(error, as_json="--json" in arguments)


def _fail(error: BaseException, *, as_json: bool) -> ExitCode:
    if stop_signals.received is not None or isinstance(error, Stopped | KeyboardInterrupt | click.Abort):
        code = ExitCode(128 + (stop_signals.received or signal.SIGINT))
        sentence = f"{code.name.capitalize()}: nothing was changed."
    else:
        code = exit_code_for(error)
        sentence = _sentence(error, code)
        if code is ExitCode.BUG and ("-v" in sys.argv or "--verbose" in sys.argv):
            sys.excepthook(type(error), error, error.__traceback__)
    if as_json:
        terminal.print_outcome({"outcome": "failed", "exit_code": int(code), "error": sentence})
    terminal.message(f"cekura-sync: {sentence}")
    for line in "\n".join(getattr(error, "__notes__", ())).splitlines():
        terminal.message(line)
    return code


def _sentence(error: BaseException, code: ExitCode) -> str:
    if code is ExitCode.BUG:
        return f"This is a bug in cekura-sync, please report it: {type(error).__name__}: {error}"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part) + "."
    return str(error)
