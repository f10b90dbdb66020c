"""The command that writes data to files."""

from pathlib import Path

import click

from cekura_sync import settings
from cekura_sync.commands.options import (
    destination_option,
    for_spreadsheet_option,
    readable,
    warehouse_option,
)
from cekura_sync.console import terminal
from cekura_sync.console.signals import stop_signals


@click.command(short_help="Write views and tables as files.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@warehouse_option
@destination_option
@click.option("--to", metavar="DIR", required=True, help="Directory for the files. It is created if needed.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="File format.",
)
@for_spreadsheet_option
def export(
    names: tuple[str, ...],
    warehouse: str,
    destination: str | None,
    to: str,
    file_format: str,
    *,
    for_spreadsheet: bool,
) -> None:
    """Write each view or table to a file of its own: NAME.parquet or NAME.csv.

    NAME is a view of the schema analytics, one of your own views such as team.my_view, or a table such as
    cekura.results. Without a NAME, all analytics views are written. All files come from the same sync. They appear in DIR
    only when all of them are complete: a failed or interrupted export leaves DIR as it was. If a kill or a power cut
    stops the final renaming, the next export into DIR finishes it first. Files of the same name are replaced; other
    files stay.
    """
    if for_spreadsheet and file_format != "csv":
        raise click.UsageError("--for-spreadsheet is for CSV: add --format csv.")
    if not to or "\0" in to:
        raise click.UsageError(f"'{to}' is not a directory: write --to as in --to exports.")
    from cekura_sync.warehouse import reader
    from cekura_sync.warehouse.export import export as write
    from cekura_sync.warehouse.layout import require_outside

    require_outside(settings.check_warehouse(warehouse), Path(to))
    with readable(warehouse, destination) as path, reader.open_for_reading(path) as con:
        files = write(
            con,
            Path(to),
            names,
            file_format=file_format,
            for_spreadsheet=for_spreadsheet,
            before_renaming=stop_signals.hold,
        )
    written = "1 file" if len(files) == 1 else f"{len(files)} files"
    terminal.message(f"Wrote {written} to {to}: {', '.join(file.name for file in files)}.")
