"""Commands that write the warehouse."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from cekura_sync import settings
from cekura_sync.commands.options import (
    WholeNumber,
    changes_option,
    complete_file,
    destination_option,
    engine_of,
    filter_options,
    models_option,
    to_read,
    warehouse_option,
)
from cekura_sync.console import memory, repeat, terminal
from cekura_sync.console.signals import stop_signals
from cekura_sync.errors import CekuraSyncError, SettingsError
from cekura_sync.monitoring.watch import watched
from cekura_sync.warehouse.layout import require_outside

PAGE_RELOADS = timedelta(minutes=5)  # a browser that shows the page loads it again that often


@click.command()
@click.option(
    "--api-url",
    metavar="URL",
    help=f"The API's address.  [env var: CEKURA_API_URL; default: {settings.API_URL}]",
)
@click.option(
    "--api-version",
    metavar="|".join(settings.API_VERSIONS),
    help=f"API version in the path.  [env var: CEKURA_API_VERSION; default: {settings.API_VERSION}]",
)
@click.option(
    "--allow-http", is_flag=True, help="Allow plain http to other machines. The key is then sent unencrypted."
)
@click.option(
    "--warehouse",
    metavar="PATH",
    shell_complete=complete_file,
    help=f"The DuckDB file that readers open.  [env var: CEKURA_WAREHOUSE; default: {settings.WAREHOUSE}]",
)
@destination_option
@filter_options
@click.option("--full", is_flag=True, help="Read everything now.")
@click.option(
    "--full-every",
    metavar="DUR",
    help=f"Read everything if the last full sync is older than this. 0 means never.  [env var: CEKURA_FULL_EVERY; default: {settings.FULL_EVERY}]",
)
@click.option(
    "--lookback",
    metavar="DUR",
    help=f"A quick sync reads the results created after the watermark (the newest updated_at) minus this time.  [env var: CEKURA_LOOKBACK; default: {settings.LOOKBACK}]",
)
@click.option(
    "--page-size",
    type=WholeNumber(1, 10_000),
    help=f"Results to ask for per page. The server may return fewer.  [default: {settings.PAGE_SIZE}]",
)
@click.option(
    "--concurrency",
    type=WholeNumber(1, 64),
    help=f"Maximum number of requests at the same time.  [default: {settings.CONCURRENCY}]",
)
@click.option(
    "--timeout",
    metavar="DUR",
    help="Time limit of the whole sync, including waits.  [default: 1h; 6h before the scope's first full sync]",
)
@click.option(
    "--details/--no-details",
    default=None,
    help="Also read run details: metrics with their explanations, expected outcomes, errors.  [env var: CEKURA_DETAILS]",
)
@click.option(
    "--transcripts/--no-transcripts",
    default=None,
    help="With the details, also store what was said in each call. This is personal data.  [env var: CEKURA_TRANSCRIPTS]",
)
@click.option(
    "--profiles",
    is_flag=True,
    help="Also store test_profile_data: the invented caller's name, account number and the like. If they are real, this is personal data. --transcripts stores them too.",
)
@click.option(
    "--keep-transcripts",
    metavar="DUR",
    help="Remove transcripts and test profile data of results created longer ago than this, such as 90d.  [default: for ever]",
)
@click.option(
    "--details-budget",
    type=WholeNumber(min=0),
    help=f"Maximum number of results whose details one sync reads.  [default: {settings.DETAILS_BUDGET}]",
)
@click.option(
    "--allow-mass-delete",
    is_flag=True,
    help="Mark missing results as deleted even if they are many or all, and accept a list that is much shorter than the API's count.",
)
@click.option("--dry-run", is_flag=True, help="Read and compare, but write nothing. Print what would change.")
@changes_option
@models_option
@click.option(
    "--ping",
    metavar="URL",
    envvar="CEKURA_PING",
    show_envvar=True,
    help="Report each sync to a monitor that expects it (a dead man's switch): URL/start, then URL or URL/fail.",
)
@click.option(
    "--notify",
    metavar="URL",
    multiple=True,
    envvar="CEKURA_NOTIFY",
    show_envvar=True,
    help="Send news to a webhook of Slack, Teams or any other service: agents that got worse or recovered, newly failing scenarios, lost runs, stuck results. Can be repeated.",
)
@click.option(
    "--notify-test", is_flag=True, help="Send a sample message to each --notify URL, and do not sync."
)
@click.option(
    "--report",
    metavar="FILE",
    help="Write the report to this HTML file after every sync that changed something. The page reloads itself.",
)
@click.option(
    "--metrics",
    "metrics_file",
    metavar="FILE",
    envvar="CEKURA_METRICS",
    show_envvar=True,
    help="Write Prometheus metrics to this file after every sync, even a failed one.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="CEKURA_LOG_FORMAT",
    show_default=True,
    show_envvar=True,
    expose_value=False,
    help="Write lines on stderr as text or as JSON objects.",
)
@click.option("--every", metavar="DUR", help="Keep running; sync once per interval.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object on stdout; with --every one object per line.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Write more to stderr.")
def sync(
    every: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    ping: str | None,
    metrics_file: str | None,
    notify_test: bool,
    report: str | None,
    **options: Any,
) -> None:
    """Bring the warehouse up to date with the API."""
    if notify_test:
        _send_sample(options["notify"], allow_http=options["allow_http"])
        return

    if metrics_file and not _is_outside(options, Path(metrics_file)):
        metrics_file = None

    def once() -> None:
        with watched(ping, metrics_file, options) as watch:
            resolved = settings.resolve(options)
            memory.require_address_space()
            memory.share_arenas()
            from cekura_sync.sync import sync as run_sync

            with terminal.Reporter(quiet=quiet, verbose=verbose, swapping=stop_signals.hold) as reporter:
                outcome = run_sync(resolved, reporter)
            stop_signals.hold()  # it is done: a signal from here on ends the command, but fails no sync
            watch.outcome = outcome.as_json(dry_run=resolved.dry_run)
            if as_json:
                terminal.print_outcome(watch.outcome)
            elif not quiet:
                terminal.message(outcome.sentence(dry_run=resolved.dry_run), event="done", **watch.outcome)
        if report and not resolved.dry_run:
            _write_report(Path(report), resolved, changed=outcome.changed)

    if every is None:
        once()
    else:
        repeat.until_stopped(once, settings.interval(every), as_json=as_json, quiet=quiet)


def _is_outside(options: dict[str, Any], metrics_file: Path) -> bool:
    try:
        warehouse = settings.check_warehouse(settings.named_warehouse(options))
    except SettingsError:
        return True  # the sync ends with that, and the metrics tell of it
    try:
        require_outside(warehouse, metrics_file)
    except SettingsError as refused:
        terminal.warn(
            f"The metrics cannot be written ({refused}): check --metrics. The sync itself is not affected."
        )
        return False
    return True


def _write_report(page: Path, resolved: settings.Settings, *, changed: bool) -> None:
    """Never fails: the sync is already done."""
    try:
        if changed or not page.exists():
            from cekura_sync.report import write

            with to_read(resolved.warehouse, resolved.destination) as warehouse:
                write(warehouse, page, PAGE_RELOADS)
    except Exception as error:
        said = str(error) if isinstance(error, CekuraSyncError | OSError) else type(error).__name__
        terminal.warn(
            f"The report could not be written: {said.rstrip('.')}. Check --report. The sync itself is not affected."
        )


def _send_sample(urls: tuple[str, ...], *, allow_http: bool) -> None:
    from cekura_sync.notify.receivers import receivers, send_all
    from cekura_sync.notify.wording import SAMPLE

    if not urls:
        raise click.UsageError("The sample has no receiver: add --notify URL, or set CEKURA_NOTIFY.")
    found = receivers(urls, allow_http=allow_http)
    heard = send_all(dict.fromkeys(found, SAMPLE), terminal.warn)
    for receiver in heard:
        terminal.message(f"{receiver.where} accepted the sample.")
    if len(heard) < len(found):
        raise SettingsError("Not every receiver accepted the sample: check --notify.")


@click.command(short_help="Rebuild the SQL views in the warehouse.")
@warehouse_option
@destination_option
@changes_option
@models_option
def build(warehouse: str, destination: str | None, changes: str | None, models: str | None) -> None:
    """Rebuild the SQL views in the warehouse, after you changed your models or your list of changes."""
    engine = engine_of(destination)
    path = settings.check_warehouse(warehouse)
    from cekura_sync.models.team import TeamModels
    from cekura_sync.warehouse import open_warehouse, team_changes

    team = team_changes.read(Path(changes)) if changes is not None else None
    for flaw in team.flaws if team else ():
        terminal.warn(flaw)
    team_models = TeamModels(Path(models)) if models else None
    names = open_warehouse(path, engine, team_models).rebuild(team, stop_signals.hold)
    for flaw in team_models.flaws if team_models else ():
        terminal.warn(flaw)
    if team:
        terminal.message(f"Stored {len(team.changes):,} changes.")
    terminal.message(f"Built {len(names)} views: {', '.join(names)}.")
