"""The command that writes ready dashboards for BI tools."""

from pathlib import Path

import click

from cekura_sync import settings
from cekura_sync.commands.options import destination_option, engine_of, warehouse_option
from cekura_sync.console import terminal
from cekura_sync.errors import SettingsError
from cekura_sync.warehouse.layout import require_outside

KINDS = ("superset", "evidence")
_NAMED = 3  # files in a message


@click.command(short_help="Write a ready dashboard for a BI tool.")
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.option("--to", metavar="DIR", required=True, help="Directory for the files. It is created if needed.")
@warehouse_option
@destination_option
def dashboards(kind: str, to: str, warehouse: str, destination: str | None) -> None:
    """Write a ready dashboard for a BI tool: agents over time, the last week, scenarios, infrastructure, freshness.

    KIND is superset: an archive for Superset's import. It contains the absolute path of the warehouse, so the warehouse
    needs the same path where the tool runs. KIND is evidence: an Evidence project that builds a static site. It contains
    the path from the project to the warehouse. Both tools open the warehouse read only. The files contain no secret. The
    command reads neither the API nor the warehouse. It replaces files that an earlier version wrote into DIR. If they
    were edited or come from elsewhere, it replaces nothing and exits with 2.
    """
    if engine_of(destination):
        raise SettingsError("The dashboards read a DuckDB file: name one with --warehouse.")
    # As it was given: where the tool runs, no link of this machine counts.
    path = settings.check_warehouse(warehouse).absolute()
    folder = _folder(to, path)
    from cekura_sync import dashboards as ready

    files = ready.KINDS[kind](path, folder)
    ready.write(folder, kind, files)
    written = ", ".join(files) if len(files) <= _NAMED else f"{len(files)} files"
    terminal.message(f"Wrote {written} to {to}. docs/bi.md says how to go on.")


def _folder(to: str, warehouse: Path) -> Path:
    if not to or "\0" in to:
        raise click.UsageError(f"'{to}' is not a directory: write --to as in --to dashboards.")
    folder = Path(to).resolve()
    require_outside(warehouse, folder)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{to} is a file: choose a directory.")
    return folder
