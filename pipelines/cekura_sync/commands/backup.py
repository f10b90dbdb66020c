"""Commands that copy the warehouse and bring it back."""

from pathlib import Path
from typing import Any

import click

from cekura_sync import settings
from cekura_sync.commands.options import destination_option, engine_of, warehouse_option
from cekura_sync.console import terminal
from cekura_sync.console.signals import stop_signals
from cekura_sync.errors import SettingsError
from cekura_sync.settings.texts import require_utf8_path

_FILE = click.Path(path_type=Path)


@click.command(short_help="Copy the warehouse to a file, even during a sync.")
@click.argument("file", metavar="FILE", type=_FILE)
@warehouse_option
@destination_option
def backup(file: Path, warehouse: str, destination: str | None) -> None:
    """Copy the warehouse to FILE as the last complete sync left it, even during a sync. An older backup in FILE is replaced."""
    path = _file_only(warehouse, destination)
    require_utf8_path(file.resolve())
    from cekura_sync.warehouse.backup import backup as write

    terminal.message(f"Backed up {path} to {file}: {_told(write(path, file))}.")


@click.command(short_help="Replace the warehouse with a backup.")
@click.argument("file", metavar="FILE", type=_FILE)
@warehouse_option
@destination_option
def restore(file: Path, warehouse: str, destination: str | None) -> None:
    """Replace the warehouse with the backup FILE. FILE itself does not change.

    The next sync continues from the last sync in FILE.
    """
    path = _file_only(warehouse, destination)
    from cekura_sync.warehouse.backup import restore as bring_back

    last = bring_back(path, file, stop_signals.hold)
    terminal.message(f"Restored {path} from {file}: {_told(last)}. The next sync continues from there.")


def _file_only(warehouse: str, destination: str | None) -> Path:
    engine = engine_of(destination)
    if engine is not None:
        raise SettingsError(
            f"backup and restore are for a file: use the tools of {engine}, such as pg_dump of the schemas cekura and analytics."
        )
    return settings.check_warehouse(warehouse)


def _told(last: dict[str, Any]) -> str:
    if not last:
        return "no sync has completed in it"
    return f"last sync {last['finished_at']}, {last['results']:,} results"
