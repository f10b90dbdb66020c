"""Checks everything that a sync needs, and changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cekura_sync import settings
from cekura_sync.doctor import api, disk, machine, postgres, warehouse
from cekura_sync.doctor.finding import Finding, Level, failure
from cekura_sync.errors import CekuraSyncError, SettingsError


def examine(options: Mapping[str, object], path: str, engine: str | None = None) -> Iterator[Finding]:
    """Yields findings about the file, or about the engine if there is one. A check that fails does not stop the others."""
    yield from _guarded("versions", machine.versions)
    yield from _guarded("vendor file", lambda: machine.vendor_file(options))
    resolved = None
    try:
        resolved = settings.resolve(options)
    except SettingsError as error:
        yield failure("settings", error)
    if resolved is not None:
        yield from _guarded("api", lambda: api.examine(resolved))
    if engine:
        yield from _guarded("engine", lambda: postgres.examine(engine))
        return
    try:
        file = settings.check_warehouse(path)
    except SettingsError:
        return  # the settings have reported it
    yield from _about_files(file)


def _about_files(file: Path) -> Iterator[Finding]:
    found = list(_guarded("place", lambda: disk.directory(file)))
    yield from found
    if any(finding.level is Level.ERROR for finding in found):
        return  # the other checks would repeat it
    yield from _guarded("disk", lambda: disk.space(file))
    yield from _guarded("lock", lambda: disk.lock(file))
    yield from _guarded("files", lambda: warehouse.files(file))
    yield from _guarded("warehouse", lambda: warehouse.content(file))


def _guarded(check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except (CekuraSyncError, OSError) as error:
        yield failure(check, error)
