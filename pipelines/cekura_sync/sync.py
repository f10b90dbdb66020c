"""One sync, told from start to end. The watermark decides how far to read, the digest what to write, the swap when."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any, Protocol

import duckdb

from cekura_sync import database, history, models
from cekura_sync.answers import Page, Row, decode_detail, decode_page
from cekura_sync.client import Client
from cekura_sync.compare import Comparison, Counts, InFlight, open_base
from cekura_sync.errors import (
    ApiUnavailable,
    MassDeleteRefused,
    ModelError,
    UnbelievableAnswer,
    WarehouseError,
)
from cekura_sync.history import History
from cekura_sync.listing import Listing
from cekura_sync.paging import Window
from cekura_sync.settings import TIMEOUT, TIMEOUT_FIRST_FULL, Settings
from cekura_sync.warehouse import Warehouse

BATCH_ROWS = 1600  # rows parsed at a time: eight full pages
LOG_AT_LEAST_EVERY = timedelta(hours=1)  # how old the published sync_log may grow while nothing changes
ALWAYS_REREAD = timedelta(days=1)  # rows in flight whose content changed so recently are read at every sync
BRAKE_ROWS, BRAKE_SHARE = 20, 0.05


class Progress(Protocol):
    """Where a sync says how it goes."""

    def read(self, pages: int, rows: int, expected: int | None) -> None: ...

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def swapping(self) -> None:
        """From here on the sync counts as done: an interruption now comes too late."""


@dataclass(frozen=True)
class Outcome:
    """What a sync did; its fields are the keys of `sync --json`."""

    mode: str
    scope: dict[str, str]
    requests: int
    retries: int
    pages: int
    rows_read: int
    counts: Counts
    watermark: datetime | None
    started: datetime
    finished: datetime
    warehouse: Path
    changed: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "outcome": "ok",
            "mode": self.mode,
            "scope": self.scope,
            "requests": self.requests,
            "retries": self.retries,
            "pages": self.pages,
            "rows_read": self.rows_read,
            **asdict(self.counts),
            "watermark": self.watermark.isoformat() if self.watermark else None,
            "seconds": round((self.finished - self.started).total_seconds(), 3),
            "warehouse": str(self.warehouse),
            "changed": self.changed,
        }

    def sentence(self, *, dry_run: bool = False) -> str:
        changes = [
            f"{number:,} {name}"
            for name, number in asdict(self.counts).items()
            if number and name in ("inserted", "updated", "deleted", "restored", "rejected")
        ]
        verb = "would be " if dry_run and changes else ""
        return (
            f"{self.mode.capitalize()} sync: {self.rows_read:,} results read with {self.requests:,} request{'s' * (self.requests != 1)}; {verb}"
            f"{', '.join(changes) or 'nothing changed'}; {self.counts.results:,} results in the warehouse, "
            f"{self.counts.in_flight:,} in flight ({(self.finished - self.started).total_seconds():.1f} s)."
        )

    def finished_now(self) -> "Outcome":
        return replace(self, finished=datetime.now(UTC))

    def log_entry(self) -> dict[str, Any]:
        entry = self.as_json()
        return {
            **{name: entry[name] for name in history.LOG if name in entry},
            "scope": json.dumps(self.scope),
            "started_at": self.started.isoformat(),
            "finished_at": self.finished.isoformat(),
        }


def sync(settings: Settings, progress: Progress) -> Outcome:
    """Bring the warehouse up to date with the API. Raises CekuraSyncError, and then nothing has changed."""
    started = datetime.now(UTC)
    warehouse = Warehouse(settings.warehouse)
    with nullcontext() if settings.dry_run else warehouse.locked(), open_base(warehouse.existing()) as con:
        scope = history.scope_text(settings.filters)
        past = history.read(con, scope, warehouse.pending_log(), started)
        changes = Comparison(
            con,
            started=started,
            agent_id=settings.filters.agent_id,
            covers=history.covered(settings.filters, past),
        )
        timeout = settings.timeout or (TIMEOUT if past.last_full_started else TIMEOUT_FIRST_FULL)
        with Client(
            settings.api_url,
            settings.api_key,
            concurrency=settings.concurrency,
            seconds=timeout.total_seconds(),
        ) as client:
            full = settings.full or past.needs_full(started, settings.full_every)
            api = Api(client, settings)
            listing = api.listing(None if full else past.horizon(settings.lookback))
            with _how_far(listing):
                _take_listing(listing, changes, progress)
                _read_by_id(api, listing, changes, past, started, settings.allow_mass_delete, progress)
        _warn(changes, progress)
        outcome = Outcome(
            mode="full" if listing.full else "quick",
            scope=settings.filters.params(),
            requests=client.requests,
            retries=client.retries,
            pages=listing.pages,
            rows_read=len(listing.chain),
            counts=changes.counts(),
            watermark=max((moment for moment in (changes.watermark, past.watermark) if moment), default=None),
            started=started,
            finished=datetime.now(UTC),
            warehouse=warehouse.files.published,
            changed=changes.has_changes(),
        )
        return outcome if settings.dry_run else _write(warehouse, changes, outcome, past, progress)


class Api:
    """The two endpoints of one scope."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._path = f"/test_framework/{settings.api_version}/results/"
        self._settings = settings

    def listing(self, horizon: int | None) -> Listing:
        return Listing(
            self._page,
            page_size=self._settings.page_size,
            concurrency=self._settings.concurrency,
            horizon=horizon,
        )

    def _page(self, window: Window) -> "Future[Page | None]":
        params = {**self._settings.filters.params(), "page": str(window.page), "page_size": str(window.size)}
        return self._client.submit(self._path, params, decode_page)

    def results_by_id(self, ids: list[int], changes: Comparison) -> Iterator[tuple[int, Row | None]]:
        """Each id with its result in the form of the list; None where the API says that it is gone."""
        decode = partial(
            decode_detail,
            row_keys={*changes.keys.row, "runs", "scenarios"},
            run_keys=changes.keys.run,
            list_in_percent=changes.list_in_percent(),
        )
        answers = [(id_, self._client.submit(f"{self._path}{id_}/", {}, decode)) for id_ in ids]
        for id_, answer in answers:
            row = answer.result()
            if row is not None and isinstance(row.key, int) and row.key != id_:
                raise UnbelievableAnswer(
                    f"Asked for result {id_}, the API answers with another one: try again later."
                )
            yield id_, row


@contextmanager
def _how_far(listing: Listing) -> Iterator[None]:
    try:
        yield
    except ApiUnavailable as error:
        raise ApiUnavailable(
            f"{error} It came as far as {listing.pages} pages, {len(listing.chain):,} results."
        ) from error


def _take_listing(listing: Listing, changes: Comparison, progress: Progress) -> None:
    """Compare the rows batch by batch, each while the next one arrives."""
    waiting: list[Row] = []
    with ThreadPoolExecutor(1, thread_name_prefix="compare") as worker:
        under_way = worker.submit(changes.restart)

        def then(step: Callable[..., None], *arguments: object) -> None:
            nonlocal under_way
            under_way.result()
            under_way = worker.submit(step, *arguments)
            waiting.clear()

        listing.on_restart(lambda: then(changes.restart))
        for rows in listing:
            waiting.extend(rows)
            progress.read(listing.pages, len(listing.chain), listing.expected_rows)
            if len(waiting) >= BATCH_ROWS:
                then(_take, changes, [*waiting])
        then(_take, changes, [*waiting])
        under_way.result()


def _take(changes: Comparison, rows: list[Row]) -> None:
    changes.take(rows)
    if changes.something_changed():
        Thread(target=_import_source, daemon=True).start()


def _read_by_id(
    api: Api,
    listing: Listing,
    changes: Comparison,
    past: History,
    started: datetime,
    allow_mass_delete: bool,
    progress: Progress,
) -> None:
    """Known rows that the listing did not show: still in flight, deleted, or no longer kept by the vendor."""
    known, listed = changes.known_and_listed()
    if listing.complete:
        changes.age_out(listing.chain.floor)  # before all else: what has aged out is not deleted too
    in_flight = [row.id for row in changes.in_flight_unseen() if is_due(row, past.last_started, started)]
    missing = changes.missing(above=None if listing.complete else listing.chain.floor)
    if listing.complete and missing and not listed and not allow_mass_delete:
        raise MassDeleteRefused(
            f"None of the {known:,} known results is listed any more: is this the right key, project and --warehouse? --allow-mass-delete accepts it."
        )
    asked = sorted({*in_flight, *missing}, reverse=True)
    if not asked:
        return
    progress.say(f"Reading {len(asked):,} results by id that the listing did not show.")
    limit = known if allow_mass_delete else max(BRAKE_ROWS, int(known * BRAKE_SHARE))
    found, deleted = [], []
    for id_, row in api.results_by_id(asked, changes):
        if row is not None:
            found.append(row)
            continue
        deleted.append(id_)
        if len(deleted) > limit:
            raise MassDeleteRefused(
                f"More than {limit:,} of {known:,} known results would be marked deleted: if that is right, pass --allow-mass-delete."
            )
    if deleted:
        _require_canary(api, changes)
        changes.mark_deleted(deleted)
    changes.take(found)


def is_due(row: InFlight, last_started: datetime | None, now: datetime) -> bool:
    """Whether to re-read a row in flight: at first always, then at points that lie a tenth of its age apart."""
    age = now - row.synced_at
    if age <= ALWAYS_REREAD or last_started is None:
        return True
    age_then = max(last_started - row.synced_at, ALWAYS_REREAD)
    point = ALWAYS_REREAD
    while point <= age_then:
        point *= 1.1
    return point <= age


def _require_canary(api: Api, changes: Comparison) -> None:
    """A 404 means deleted only where a listed row answers by id."""
    canaries = changes.some_listed()
    if canaries and all(row is None for _, row in api.results_by_id(canaries, changes)):
        raise UnbelievableAnswer(
            f"The API lists result {canaries[0]} and denies it by id, so its 404s prove no deletion: try again later."
        )


def _warn(changes: Comparison, progress: Progress) -> None:
    if changes.rejected:
        progress.warn(f"{changes.rejected:,} rows could not be taken: see the table cekura.rejected_rows.")
    if changes.other_agents:
        progress.warn(
            f"{changes.other_agents:,} rows of other agents came back despite --agent-id; they were left out."
        )


def _write(
    warehouse: Warehouse, changes: Comparison, outcome: Outcome, past: History, progress: Progress
) -> Outcome:
    """Commit what changed; with nothing to commit, only note that a sync was here."""
    first = warehouse.existing() is None
    log_is_fresh = past.log_age is not None and past.log_age < LOG_AT_LEAST_EVERY
    generation = warehouse.generation() + 1

    def write(work: Path) -> None:
        nonlocal outcome
        if outcome.changed or first:
            _load(work, warehouse.files.scratch, changes, outcome, first=first)
        with database.connect(work) as con:
            outcome = outcome.finished_now()
            history.append(con, [*warehouse.pending_log(), outcome.log_entry() | {"generation": generation}])
            _build_models(con)

    if not outcome.changed and not first and log_is_fresh:
        outcome = outcome.finished_now()
        warehouse.append_pending(outcome.log_entry())
    else:
        warehouse.commit(write, progress.swapping)
        warehouse.forget_pending()
    warehouse.write_last(outcome.as_json() | {"finished_at": outcome.finished.isoformat()})
    return outcome


def _load(work: Path, scratch: Path, changes: Comparison, outcome: Outcome, *, first: bool) -> None:
    source = _import_source()
    source.load(work, scratch / "dlt", changes, json.dumps(outcome.scope), outcome.watermark, first=first)
    with database.connect(work) as con:
        source.tidy(con)


@cache
def _import_source() -> ModuleType:
    """dlt takes half a second to import; a sync without changes needs none of it."""
    from cekura_sync import source

    return source


def rebuild(path: Path, swapping: Callable[[], None]) -> list[str]:
    """Build the views anew in an existing warehouse; returns their names."""
    warehouse = Warehouse(path)
    names: list[str] = []

    def write(work: Path) -> None:
        with database.connect(work) as con:
            names.extend(_build_models(con))

    with warehouse.locked():
        if warehouse.existing() is None:
            raise WarehouseError(
                f"There is no warehouse at {path}: run `cekura-sync sync` first, or pass --warehouse."
            )
        warehouse.commit(write, swapping)
    return names


def _build_models(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Build the views and hold our own rules against them. Raises ModelError."""
    names = models.build(con)
    findings = models.check(con)
    if findings:
        first = findings[0]
        raise ModelError(
            f"The check {first.check} finds {first.rows} wrong rows, such as {first.example}: {first.question}"
        )
    return names
