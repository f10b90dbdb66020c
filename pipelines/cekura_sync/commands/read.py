"""Commands that read the warehouse."""

import json
import re
from dataclasses import replace

import click

from cekura_sync import errors, settings
from cekura_sync.commands.options import destination_option, engine_of, readable, warehouse_option
from cekura_sync.console import terminal
from cekura_sync.console.exits import ExitCode
from cekura_sync.warehouse.status import Status, read_status, status_of


@click.command(short_help="Run the SQL checks.")
@warehouse_option
@destination_option
def check(warehouse: str, destination: str | None) -> None:
    """Run the SQL checks against the warehouse."""
    from cekura_sync.models import runner
    from cekura_sync.warehouse import reader

    with readable(warehouse, destination) as path, reader.open_warehouse(path) as con:
        findings = runner.check(con)
    for finding in findings:
        terminal.message(
            f"{finding.check}: {finding.rows} wrong rows, such as {finding.example}: {finding.question}"
        )
    if findings:
        raise errors.ModelError(
            f"{len(findings)} checks failed. This is a bug in cekura-sync: please report it."
        )
    terminal.message("All checks passed.")


@click.command(short_help="Show how old the data is.")
@warehouse_option
@destination_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option(
    "--max-age", metavar="DUR", help="Exit with 10 when the last completed sync is older than this."
)
def status(warehouse: str, destination: str | None, as_json: bool, max_age: str | None) -> None:
    """Show when the last sync completed and what the warehouse holds."""
    limit = settings.duration(max_age) if max_age is not None else None
    engine = engine_of(destination)
    state = _of_engine(engine) if engine else read_status(settings.check_warehouse(warehouse))
    try:
        click.echo(json.dumps(state.as_json()) if as_json else terminal.plain(state.sentence()))
    finally:
        if limit is not None and state.is_older_than(limit):
            raise SystemExit(ExitCode.STALE)


def _of_engine(name: str) -> Status:
    from cekura_sync.warehouse.postgres import open_engine

    engine = open_engine(name)
    state = status_of(engine.name, engine.last_sync())
    return replace(state, command=f"{state.command} --destination {name}")


class _Query(click.Command):
    """Lets SQL begin with a `--` comment. No option has a line break or a space after its dashes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        comments = [text for text in args if re.match(r"--(\s|[^=]*\n)", text)]
        if comments and "--" not in args:
            args = [*(text for text in args if text not in comments), "--", *comments]
        return super().parse_args(ctx, args)


@click.command(cls=_Query, short_help="Run one SQL query, read only.")
@click.argument("sql")
@warehouse_option
@destination_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line.")
def query(sql: str, warehouse: str, destination: str | None, as_json: bool, as_csv: bool) -> None:
    """Run one SQL query, read only, and print its rows."""
    from cekura_sync.warehouse import reader

    if as_json and as_csv:
        raise click.UsageError("Choose --json or --csv, not both.")
    with readable(warehouse, destination) as path:
        columns, rows = reader.run_query(path, sql, as_text=as_csv)
    show = terminal.print_json if as_json else terminal.print_csv if as_csv else terminal.print_table
    show(columns, rows)
