"""Commands that read the warehouse."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TextIO

import click
from click.shell_completion import CompletionItem

from cekura_sync import errors, settings
from cekura_sync.commands.options import (
    complete_file,
    destination_option,
    engine_of,
    filter_options,
    for_spreadsheet_option,
    readable,
    view_names,
    warehouse_option,
)
from cekura_sync.console import terminal
from cekura_sync.console.exits import ExitCode
from cekura_sync.settings.texts import is_utf8
from cekura_sync.warehouse.status import Status, read_status, status_of


@click.command(short_help="Run the SQL checks.")
@warehouse_option
@destination_option
def check(warehouse: str, destination: str | None) -> None:
    """Run the SQL checks against the warehouse."""
    from cekura_sync.models import checks
    from cekura_sync.warehouse import reader

    with readable(warehouse, destination) as path, reader.open_for_reading(path) as con:
        findings = checks.check(con)
    for finding in findings:
        terminal.message(
            f"{finding.check}: {finding.rows} wrong rows, such as {finding.example}: {finding.question}"
        )
    if findings:
        raise errors.ModelError(
            f"{len(findings)} checks failed. This is a bug in cekura-sync: please report it."
        )
    terminal.message("All checks passed.")


@click.command(short_help="Show when the last sync ran.")
@warehouse_option
@destination_option
@filter_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--max-age", metavar="DUR", help="Exit with 10 if the last sync of a scope is older than this.")
def status(
    warehouse: str, destination: str | None, *, as_json: bool, max_age: str | None, **options: Any
) -> None:
    """Show when the last sync completed and what the warehouse held then.

    The filters of a sync are its scope. --max-age checks each scope: its age is the time since the last sync with the
    same filters or with only some of them. A scope is ignored if the warehouse's last sync is more than 30 days newer.
    If you give filters, only their scope is checked.
    """
    limit = settings.duration(max_age, "--max-age") if max_age is not None else None
    filters = settings.filters(options).params() or None
    engine = engine_of(destination)
    state = (
        _of_engine(engine, filters) if engine else read_status(settings.check_warehouse(warehouse), filters)
    )
    try:
        click.echo(json.dumps(state.as_json()) if as_json else terminal.plain(state.sentence()))
    finally:
        if limit is not None and state.is_older_than(limit):
            terminal.message(state.complaint(f"--max-age {max_age}", limit))
            raise SystemExit(ExitCode.STALE)


def _of_engine(name: str, filters: Mapping[str, str] | None) -> Status:
    from cekura_sync.warehouse.postgres import open_engine

    engine = open_engine(name)
    state = status_of(engine.name, engine.last_sync(), filters)
    return replace(state, command=f"{state.command} --destination {name}")


class _Query(click.Command):
    """Lets SQL begin with a `--` comment. No option has a line break or a space after its dashes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        comments = [text for text in args if re.match(r"--(\s|[^=]*\n)", text)]
        if comments and "--" not in args:
            args = [*(text for text in args if text not in comments), "--", *comments]
        return super().parse_args(ctx, args)


def complete_sql(
    _context: click.Context, _argument: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The last word as the name of a view."""
    written, word = re.fullmatch(r"(.*?)([\w.]*)", incomplete, re.DOTALL).groups()  # type: ignore[union-attr]
    schema, _, begin = word.rpartition(".")
    if schema not in ("", "analytics"):
        return []
    before = written + word.removesuffix(begin)
    return [CompletionItem(before + name) for name in view_names() if name.startswith(begin)]


@click.command(cls=_Query, short_help="Run one SQL query, read only.")
@click.argument("sql", required=False, shell_complete=complete_sql)
@click.option(
    "-f",
    "--file",
    "file",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    shell_complete=complete_file,
    help="Read the query from a file; - is standard input.",
)
@warehouse_option
@destination_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line.")
@for_spreadsheet_option
def query(
    sql: str | None,
    file: TextIO | None,
    warehouse: str,
    destination: str | None,
    *,
    as_json: bool,
    as_csv: bool,
    for_spreadsheet: bool,
) -> None:
    """Run one SQL query, read only, and print its rows.

    Names need no schema: agent_pass_rate is the view analytics.agent_pass_rate, sync_log the table cekura.sync_log. If
    a view and a table have the same name, the view is used. Without SQL and -f, the query is read from standard input.
    """
    if as_json and as_csv:
        raise click.UsageError("Choose --json or --csv, not both.")
    if for_spreadsheet and not as_csv:
        raise click.UsageError("--for-spreadsheet is for CSV: add --csv.")
    text = _sql(sql, file)
    from cekura_sync.warehouse import spreadsheet
    from cekura_sync.warehouse.query import answer

    with (
        readable(warehouse, destination) as path,
        answer(path, text, as_text=as_csv, for_spreadsheet=for_spreadsheet) as (columns, rows),
    ):
        if for_spreadsheet:
            click.echo(spreadsheet.BYTE_ORDER_MARK, nl=False)
        show = terminal.print_json if as_json else terminal.print_csv if as_csv else terminal.print_table
        show(columns, rows)


def _sql(sql: str | None, file: TextIO | None) -> str:
    if sql is not None and file is not None:
        raise click.UsageError("Give the query as an argument or with -f, not both.")
    if sql is not None:
        return sql
    if file is None and sys.stdin.isatty():
        raise click.UsageError(
            'There is no query: write one, such as "select * from agent_pass_rate", or use -f FILE.'
        )
    try:
        text = (file or sys.stdin).read()
    except UnicodeDecodeError as error:
        raise errors.SettingsError(
            f"The query is not UTF-8 text ({error.reason}): save it as UTF-8."
        ) from None
    if not is_utf8(text):  # standard input hands on what it cannot decode
        raise errors.SettingsError("The query is not UTF-8 text: save it as UTF-8.")
    return text.removeprefix("\ufeff")
