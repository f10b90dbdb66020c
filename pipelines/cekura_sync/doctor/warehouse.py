"""The warehouse itself: whether its files are as the last sync left them, how fresh it is, and what looks odd in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from cekura_sync import database
from cekura_sync.doctor.finding import Finding, ok, warning
from cekura_sync.errors import WarehouseError
from cekura_sync.warehouse import reader
from cekura_sync.warehouse.disk import Fingerprint
from cekura_sync.warehouse.layout import Layout, read_json, wal
from cekura_sync.warehouse.status import SKEW, read_status

FULL_SYNC_WITHIN = timedelta(days=7)
_STORAGE = 64  # in the header of a file, what DuckDB calls v1.0.0


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
        yield "A sync was cut short while it swapped the files, unless one is at it just now: the next `cekura-sync sync` settles it."
    if not files.base.exists():
        yield f"{files.base} is missing: the next `cekura-sync sync` makes it from {files.published}."
    if not files.published.exists():
        yield f"{files.published} is missing: the next `cekura-sync sync` puts it back."
    elif record.get("swap") is not True and list(Fingerprint.of(files.published) or ()) != record.get(
        "published"
    ):
        yield f"{files.published} was changed or replaced since the last sync, and the next one puts ours back: let programs open it read only."
    if wal(files.published).exists():
        yield f"A program has {files.published} open for writing, or did not close it: what it writes is lost at the next sync; let it open the file read only."


def _storage_version(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(20)[12:], "little")


def content(path: Path) -> Iterator[Finding]:
    files = Layout(path)
    if not files.published.exists():
        return
    yield from _held(files)
    yield from said(path)


def said(path: Path) -> Iterator[Finding]:
    """What the views say of freshness and of the data."""
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
                f"The views are not those of this version ({database.first_line(error)}): run `cekura-sync build`.",
            )
            return
        except duckdb.Error as error:
            raise WarehouseError(
                f"{path} cannot be read ({database.first_line(error)}): delete it and sync again, which puts it back."
            ) from error
    yield from _freshness(path, *freshness)
    for severity, rows, meaning, example in odd:
        yield warning(
            "data", f"{severity} in {rows:,} rows: {meaning}, such as {example}: see analytics.data_quality."
        )


def _held(files: Layout) -> Iterator[Finding]:
    try:
        database.connect(files.published, read_only=True).close()
    except WarehouseError as error:
        if "lock" not in str(error).lower():
            raise
        yield warning(
            "readers",
            f"A program has {files.published} open for writing, which keeps other readers out but no sync: let it open the file read only ({error}).",
        )
    else:
        yield ok("readers", f"{files.published} can be opened.")


def _freshness(
    path: Path, last: datetime | None, last_full: datetime | None, pause: timedelta | None
) -> Iterator[Finding]:
    now = datetime.now(UTC)
    status = read_status(path)  # knows of syncs that the published file does not show yet
    finished = last if status.age is None else now - status.age
    if finished is None:
        yield warning("sync", "No sync has completed yet: run `cekura-sync sync`.")
        return
    when = f"The last sync completed at {finished:%Y-%m-%d %H:%M} UTC"
    if finished > now + SKEW:
        yield warning("sync", f"{when}, which is yet to come: check this machine's clock, then sync again.")
    elif pause is not None and now - finished > pause:
        yield warning(
            "sync",
            f"{when}, longer ago than syncs usually are apart: look after the job that runs them, or sync now.",
        )
    else:
        yield ok("sync", f"{when}.")
    if last_full is None or now - last_full > FULL_SYNC_WITHIN:
        ever = (
            f"The last full sync completed at {last_full:%Y-%m-%d}" if last_full else "No sync has been full"
        )
        yield warning(
            "full sync",
            f"{ever}, and old edits and deletions wait for one: run `cekura-sync sync --full`, or lower --full-every.",
        )
