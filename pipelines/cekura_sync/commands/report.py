"""The command that writes a page for people."""

from pathlib import Path

import click

from cekura_sync import settings, terminal
from cekura_sync.commands.options import warehouse_option


@click.command(short_help="Write one HTML page for people.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default="report.html",
    show_default=True,
    help="The HTML file to write.",
)
@warehouse_option
def report(output: Path, warehouse: str) -> None:
    """Write one self-contained HTML page: what got worse, since when, and where."""
    from cekura_sync.report import write

    terminal.message(write(settings.check_warehouse(warehouse), output))
