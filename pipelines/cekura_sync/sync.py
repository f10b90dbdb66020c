"""One sync, told from start to end. The watermark decides how far to read, the content what to write, the swap when."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from threading import Thread
from types import ModuleType

import duckdb

from cekura_sync.api.endpoints import Api
from cekura_sync.api.listing import Listing
from cekura_sync.api.personal import PersonalData
from cekura_sync.diff import history
from cekura_sync.diff.changeset import Changeset
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.history import History
from cekura_sync.diff.read_details import DetailCounts, count_due, read_details
from cekura_sync.diff.scan import connect, scan
from cekura_sync.errors import ModelError
from cekura_sync.models import runner
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.settings import Settings
from cekura_sync.warehouse import team_changes, upgrade
from cekura_sync.warehouse.postgres import open_engine
from cekura_sync.warehouse.swap import Warehouse
from cekura_sync.warehouse.team_changes import Noted

LOG_AT_LEAST_EVERY = timedelta(hours=1)  # how old the published sync_log may grow while nothing changes
PENDING_AT_MOST = 1000  # syncs without changes that wait to be published in it


def sync(settings: Settings, progress: Progress) -> Outcome:
    """Bring the warehouse up to date with the API. Raises CekuraSyncError, and then nothing has changed."""
    started = datetime.now(UTC)
    noted = team_changes.read(settings.changes) if settings.changes else None
    warehouse = open_engine(settings.destination) if settings.destination else Warehouse(settings.warehouse)
    held = warehouse.observed() if settings.dry_run else warehouse.locked()
    with held, warehouse.known() as con:
        scope = history.scope_text(settings.filters)
        past = history.read(con, scope, warehouse.pending_log(), started)
        changes = Comparison(
            con,
            started=started,
            agent_id=settings.filters.agent_id,
            covers=history.covered(settings.filters, past),
            project_id=settings.filters.project_id,
            personal_data=PersonalData(settings.transcripts, settings.profiles),
        )
        with connect(settings, past) as client:
            api = Api(client, settings)
            listing = scan(api, settings, past, changes, progress, partial(_import_early, changes.changeset))
            progress.say(f"Pages read: {listing.pages:,}; retries: {client.retries:,}.")
            details = _read_details(api, settings, changes, progress) if settings.details else None
        _warn(changes, noted, progress)
        _warn_of_nothing(listing, settings, past, progress)
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
            warehouse=warehouse.name,
            changed=changes.changeset.has_changes()
            or (noted is not None and team_changes.differ(con, noted)),
            **(asdict(details) if details else {}),
        )
        if settings.dry_run:
            return outcome
        if isinstance(warehouse, Warehouse):
            return _write(warehouse, changes.changeset, noted, outcome, past, progress)
        return warehouse.write(changes.changeset, noted, outcome, progress)


def _read_details(api: Api, settings: Settings, changes: Comparison, progress: Progress) -> DetailCounts:
    if settings.dry_run:
        return count_due(changes, transcripts=settings.transcripts)
    return read_details(
        api,
        changes,
        budget=settings.details_budget,
        transcripts=settings.transcripts,
        progress=progress,
    )


def _warn(changes: Comparison, noted: Noted | None, progress: Progress) -> None:
    for flaw in noted.flaws if noted else ():
        progress.warn(flaw)
    if changes.rejected:
        progress.warn(f"{changes.rejected:,} rows could not be taken: see the table cekura.rejected_rows.")
    if changes.other_agents:
        progress.warn(
            f"{changes.other_agents:,} rows of other agents came back despite --agent-id; they were left out."
        )


def _warn_of_nothing(listing: Listing, settings: Settings, past: History, progress: Progress) -> None:
    """An empty account is no error, but more often it is the wrong one."""
    if listing.full and not len(listing.chain) and past.watermark is None:
        scope = settings.filters.text()
        mistake = f" for {scope}: is the filter right" if scope else ": is the key that of the right account"
        progress.warn(f"The API lists no results{mistake}?")


def _write(
    warehouse: Warehouse,
    changes: Changeset,
    noted: Noted | None,
    outcome: Outcome,
    past: History,
    progress: Progress,
) -> Outcome:
    """Commit what changed; with nothing to commit, only note that a sync was here."""
    first = warehouse.existing() is None
    pending = warehouse.pending_log()
    log_is_fresh = (
        past.log_age is not None and past.log_age < LOG_AT_LEAST_EVERY and len(pending) < PENDING_AT_MOST
    )
    generation = warehouse.generation() + 1

    def write(con: duckdb.DuckDBPyConnection) -> None:
        nonlocal outcome
        if outcome.changed or first:
            _load(con, warehouse.files.scratch, changes, outcome, first=first)
        outcome = outcome.finished_now()
        history.append(con, [*pending, outcome.log_entry() | {"generation": generation}])
        _build_models(con, noted)

    if not outcome.changed and not first and log_is_fresh:
        outcome = outcome.finished_now()
        warehouse.append_pending(outcome.log_entry())
        progress.say("Nothing to publish; this sync will be in sync_log with the next one that publishes.")
    else:
        warehouse.commit(write, progress.swapping)
        warehouse.forget_pending()
        progress.say(f"Published generation {generation} of {warehouse.files.published}.")
    try:
        warehouse.write_last(outcome.as_json() | {"finished_at": outcome.finished.isoformat()})
    except OSError as error:
        progress.warn(f"The sync is done, but {warehouse.files.last} cannot be written: {error.strerror}.")
    return outcome


def _load(
    con: duckdb.DuckDBPyConnection, scratch: Path, changes: Changeset, outcome: Outcome, *, first: bool
) -> None:
    loading = _import_loading()
    loading.load(con, scratch / "dlt", changes, json.dumps(outcome.scope), outcome.watermark, first=first)
    loading.tidy(con)


@cache
def _import_loading() -> ModuleType:
    """dlt takes half a second to import; a sync without changes needs none of it."""
    from cekura_sync.warehouse import load

    return load


def _import_early(changes: Changeset) -> None:
    """As soon as it is known that there will be something to load."""
    if changes.something_changed():
        _import_in_background()


@cache
def _import_in_background() -> None:
    Thread(target=_import_loading, daemon=True).start()


def rebuild(path: Path, swapping: Callable[[], None], noted: Noted | None = None) -> list[str]:
    """Build the views anew in an existing warehouse; returns their names."""
    warehouse = Warehouse(path)
    names: list[str] = []

    def write(con: duckdb.DuckDBPyConnection) -> None:
        names.extend(_build_models(con, noted))

    warehouse.require()
    with warehouse.locked():
        warehouse.commit(write, swapping)
    return names


def _build_models(con: duckdb.DuckDBPyConnection, noted: Noted | None) -> list[str]:
    """Build the views, with the team's changes in place, and hold our own rules against them. Raises ModelError."""
    upgrade.complete(con)
    if noted is not None:
        team_changes.store(con, noted)
    names = runner.build(con)
    findings = runner.check(con)
    if findings:
        first = findings[0]
        raise ModelError(
            f"The check {first.check} finds {first.rows} wrong rows, such as {first.example}: {first.question} Nothing was changed; mend sql/, or report it."
        )
    return names
