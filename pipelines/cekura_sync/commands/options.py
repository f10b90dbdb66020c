"""Options that several commands share."""

from collections.abc import Callable

import click

from cekura_sync import settings


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
