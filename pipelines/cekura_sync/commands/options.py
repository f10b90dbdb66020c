"""Options that several commands share."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from cekura_sync import settings


class WholeNumber(click.IntRange):
    """A click.IntRange whose help says `integer`; click adds the range."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if abs(number) >= 2**63:
            self.fail(f"{value} is too large.", param, ctx)
        return number


def complete_file(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete the file name."""
    return [CompletionItem(incomplete, type="file")]


def view_names() -> list[str]:
    """For the shell's completion, without opening a warehouse."""
    from cekura_sync.models import runner

    return sorted(path.stem for path in runner.models_dir().glob("*.sql"))


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


def destination_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--destination",
        metavar="NAME",
        help=f"Use a shared database instead of the file: {', '.join(settings.ENGINES)}.  [env var: {settings.DESTINATION}]",
    )(command)


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The API's filters: together they are the scope of a sync."""
    given = partial(click.option, multiple=True, callback=_once)
    for option in reversed(
        (
            given("--agent-id", type=WholeNumber(min=0), help="Only results of this agent."),
            given("--project-id", type=WholeNumber(min=0), help="Only results of this project."),
            given("--search", metavar="TEXT", help="Only results whose name contains this text."),
            given("--scenarios", metavar="ID,ID", help="Only results with runs of these scenarios."),
        )
    ):
        command = option(command)
    return command


def _once(context: click.Context, option: click.Parameter, values: Sequence[Any]) -> Any:
    """Click would take the last of several, and so another scope than was asked for."""
    if len(values) > 1:
        raise click.UsageError(
            f"{option.opts[0]} is given {len(values)} times: a sync has one of each filter, so run one for each.",
            context,
        )
    return values[0] if values else None


def engine_of(destination: str | None) -> str | None:
    """The engine that the running command works on; None for a file. Raises SettingsError."""
    context = click.get_current_context()
    file_given = context.get_parameter_source("warehouse") is ParameterSource.COMMANDLINE
    given = {"destination": destination, "warehouse": context.params["warehouse"] if file_given else None}
    return settings.engine(given, os.environ)


@contextmanager
def readable(warehouse: str, destination: str | None) -> Iterator[Path]:
    """The file to read: the warehouse itself, or a temporary copy of what the engine holds."""
    with to_read(settings.check_warehouse(warehouse), engine_of(destination)) as path:
        yield path


@contextmanager
def to_read(warehouse: Path, engine: str | None) -> Iterator[Path]:
    """The same, from settings that were checked."""
    if engine is None:
        yield warehouse
        return
    from cekura_sync.temporary import temporary_folder
    from cekura_sync.warehouse.postgres import open_engine

    with temporary_folder() as folder:
        path = folder / f"{engine}.duckdb"
        open_engine(engine).copy_into(path)
        yield path


def models_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--models",
        envvar="CEKURA_MODELS",
        show_envvar=True,
        metavar="DIR",
        help="Folder with your own SQL models, one select per file. They become views of the schema team and can use ours. A broken model is named and left out. Without this option, the warehouse keeps its views of yours.",
    )(command)


def changes_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--changes",
        envvar="CEKURA_CHANGES",
        show_envvar=True,
        metavar="FILE",
        help="CSV list of your team's changes to its agents (agent_id, at, note), for analytics.agent_change_effect. Without this option, the warehouse keeps its list.",
    )(command)


def for_spreadsheet_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--for-spreadsheet",
        is_flag=True,
        help="Write CSV for Excel and similar programs: marked as UTF-8, and with an apostrophe before text that looks like a formula (= + - @).",
    )(command)
