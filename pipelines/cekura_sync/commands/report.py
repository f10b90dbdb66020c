"""The command that writes the report."""

from pathlib import Path

import click

from cekura_sync.commands.options import destination_option, readable, warehouse_option
from cekura_sync.console import terminal


@click.command(short_help="Write one HTML page for people.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="report.html",
    show_default=True,
    help="The HTML file to write. - is stdout.",
)
@warehouse_option
@destination_option
def report(output: Path, warehouse: str, destination: str | None) -> None:
    """Write one self-contained HTML page: what got worse, since when, and where."""
    from cekura_sync.report import draw, write

    with readable(warehouse, destination) as path:
        if output == Path("-"):
            click.echo(draw(path).encode("utf-8"), nl=False)
        else:
            terminal.message(write(path, output))
