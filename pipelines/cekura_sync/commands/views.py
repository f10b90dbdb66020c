"""The command that shows which views there are."""

import json
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from cekura_sync.commands.options import destination_option, readable, view_names, warehouse_option
from cekura_sync.console import terminal

if TYPE_CHECKING:
    from cekura_sync.warehouse import catalog


def _complete(_context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in view_names() if name.startswith(incomplete)]


@click.command(short_help="List the views, or the columns of one.")
@click.argument("name", required=False, shell_complete=_complete)
@warehouse_option
@destination_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def views(name: str | None, warehouse: str, destination: str | None, *, as_json: bool) -> None:
    """List the views, one per line. With NAME, list the columns of this view or table and what they mean."""
    from cekura_sync.warehouse import catalog, reader

    with readable(warehouse, destination) as path, reader.open_for_reading(path) as con:
        if name is None:
            _print_list(catalog.views(con), as_json=as_json)
        else:
            relation = catalog.find(con, name)
            _print_one(relation, catalog.columns(con, relation), as_json=as_json)


def _print_list(found: "list[catalog.Relation]", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([{"view": view.title, "meaning": view.meaning} for view in found]))
    else:
        terminal.print_table(["view", "meaning"], [(view.title, view.first_sentence) for view in found])


def _print_one(relation: "catalog.Relation", columns: "list[catalog.Column]", *, as_json: bool) -> None:
    if as_json:
        told = [{"name": column.name, "type": column.kind, "meaning": column.meaning} for column in columns]
        click.echo(json.dumps({"view": relation.title, "meaning": relation.meaning, "columns": told}))
        return
    click.echo(
        terminal.plain(f"{relation.title}: {relation.meaning}" if relation.meaning else relation.title)
    )
    terminal.print_table(["column", "type", "meaning"], columns)
