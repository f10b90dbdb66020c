"""Options that several commands share."""

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

from cekura_sync import settings


class WholeNumber(click.IntRange):
    """A click.IntRange by a name that people understand: its range is told beside it."""

    name = "integer"


def complete_file(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell completes a file's name better than we could."""
    return [CompletionItem(incomplete, type="file")]


def warehouse_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--warehouse",
        envvar="CEKURA_WAREHOUSE",
        default=settings.WAREHOUSE,
        show_default=True,
        show_envvar=True,
        metavar="PATH",
        shell_complete=complete_file,
        help="The DuckDB file that readers open.",
    )(command)


def changes_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--changes",
        envvar="CEKURA_CHANGES",
        show_envvar=True,
        metavar="FILE",
        help="CSV of your team's changes to its agents (agent_id, at, note), for analytics.agent_change_effect; without it the warehouse keeps those that it has.",
    )(command)
