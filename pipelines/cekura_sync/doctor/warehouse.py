"""Checks the warehouse: whether its files are as the last sync left them, how old the data is, and whether it looks wrong."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from cekura_sync import database
from cekura_sync.doctor.finding import Finding, ok, warning
from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse import reader
from cekura_sync.warehouse.disk import Fingerprint
from cekura_sync.warehouse.layout import Layout, read_json, wal
from cekura_sync.warehouse.scopes import FORGOTTEN_AFTER, SKEW
from cekura_sync.warehouse.status import Status, read_status

SYNC_WITHIN = FULL_SYNC_WITHIN = timedelta(days=7)
_STORAGE = 64  # in the file's header: DuckDB's storage version v1.0.0


def files(path: Path) -> Iterator[Finding]:
    files = Layout(path)
    if not files.published.exists() and not files.base.exists():
        yield warning("files", f"There is no warehouse at {files.published} yet: run `cekura-sync sync`.")
        return
    record = read_json(files.commit)
    odd = list(_odd(files, record))
    if odd:
        yield from (warning("files", message) for message in odd)
    else:
        yield ok(
            "files", f"{files.published} is as the last sync left it (generation {record.get('generation')})."
        )
    if files.published.exists() and (storage := _storage_version(files.published)) != _STORAGE:
        yield warning(
            "files",
            f"{files.published} is in DuckDB's storage version {storage}, which older drivers cannot open: move it and {files.home} away, and sync again.",
        )


def _odd(files: Layout, record: dict[str, object]) -> Iterator[str]:
    if record.get("swap") is True:
        yield "A sync was interrupted while it swapped the files, or is swapping them now: the next `cekura-sync sync` completes the swap."
    if not files.base.exists():
        yield f"{files.base} is missing: the next `cekura-sync sync` rebuilds it from {files.published}."
    if not files.published.exists():
        yield f"{files.published} is missing: the next `cekura-sync sync` puts it back."
    elif record.get("swap") is not True and list(Fingerprint.of(files.published) or ()) != record.get(
        "published"
    ):
        yield f"{files.published} was changed or replaced since the last sync. The next sync restores it: let programs open it read only."
    if wal(files.published).exists():
        yield f"A program has {files.published} open for writing, or did not close it. What it writes is lost at the next sync: let it open the file read only."


def _storage_version(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(20)[12:], "little")


def content(path: Path) -> Iterator[Finding]:
    files = Layout(path)
    if not files.published.exists():
        return
    yield from _held(files)
    yield from said(path, read_status(path))


def said(path: Path, status: Status) -> Iterator[Finding]:
    """What the views say about freshness and about the data.

    `status`: includes syncs that the published file does not show yet.
    """
    with reader.open_for_reading(path) as con:
        try:
            freshness = con.execute(
                "select last_sync_at, last_full_sync_at, overdue_at - last_sync_at from analytics.sync_status"
            ).fetchall()[0]
            odd = con.execute(
                "select severity, rows, meaning, example from analytics.data_quality where severity <> 'info' order by severity, rows desc"
            ).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            yield warning(
                "warehouse",
                f"The views belong to another version ({database.first_line(error)}): run `cekura-sync build`.",
            )
            return
        except duckdb.Error as error:
            raise WarehouseError(
                f"{path} cannot be read ({database.first_line(error)}): delete it and sync again, which restores it."
            ) from error
    yield from _freshness(status, *freshness)
    for severity, rows, meaning, example in odd:
        yield warning(
            "data",
            f"{severity} in {rows:,} row{'s' * (rows != 1)}: {meaning}, such as {example}. All findings: `cekura-sync query 'from data_quality'`.",
        )


def _held(files: Layout) -> Iterator[Finding]:
    try:
        database.connect(files.published, read_only=True).close()
    except WarehouseError as error:
        if not database.is_held(error):
            raise
        yield warning(
            "readers",
            f"A program has {files.published} open for writing. This locks out other readers, but no sync: let it open the file read only ({error}).",
        )
    else:
        yield ok("readers", f"{files.published} opens.")


def _freshness(
    status: Status, last: datetime | None, last_full: datetime | None, pause: timedelta | None
) -> Iterator[Finding]:
    now = status.now
    finished = last if status.age is None else now - status.age
    if finished is None:
        yield warning("sync", "No sync has completed yet: run `cekura-sync sync`.")
        return
    when = f"The last sync completed at {finished:%Y-%m-%d %H:%M} UTC"
    if finished > now + SKEW:
        yield warning("sync", f"{when}, which is in the future: check this machine's clock, then sync again.")
    elif pause is not None and now - finished > pause:
        yield warning(
            "sync",
            f"{when}. That is longer ago than the usual interval: check the job that runs the syncs, or sync now.",
        )
    else:
        yield ok("sync", f"{when}.")
    for scope in status.older_than(SYNC_WITHIN):
        if scope.finished != finished:
            yield warning(
                "scope",
                f"{scope.name} was last synced at {scope.finished:%Y-%m-%d}, though others were since: sync it again. If you no longer need it, do nothing: it stops counting {FORGOTTEN_AFTER.days} days after its last sync.",
            )
    if last_full is None or now - last_full > FULL_SYNC_WITHIN:
        ever = (
            f"The last full sync completed at {last_full:%Y-%m-%d}"
            if last_full
            else "There has been no full sync yet"
        )
        yield warning(
            "full sync",
            f"{ever}. Edits and deletions of old results need one: run `cekura-sync sync --full`, or lower --full-every.",
        )
