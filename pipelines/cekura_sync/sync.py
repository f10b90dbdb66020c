"""One sync from start to end. The watermark decides how far to read, the content what to write, the commit when."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from cekura_sync import clock
from cekura_sync.api.endpoints import Api
from cekura_sync.api.listing import Listing
from cekura_sync.api.personal import PersonalData
from cekura_sync.console.exits import INTERRUPTED, exit_code_for
from cekura_sync.diff import history
from cekura_sync.diff.base import Lookup
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.history import History
from cekura_sync.diff.journal import Journal, open_journal
from cekura_sync.diff.naming import MAX_FIELDS
from cekura_sync.diff.read_details import DetailCounts, count_due, read_details
from cekura_sync.diff.scan import connect, outcome_of, scan, wants_full
from cekura_sync.errors import UnreadableAnswer
from cekura_sync.models.team import TeamModels
from cekura_sync.notify import receivers as notify
from cekura_sync.notify.news import tell
from cekura_sync.notify.receivers import Receiver
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.settings import Settings
from cekura_sync.warehouse import Warehouse, open_warehouse, team_changes
from cekura_sync.warehouse.team_changes import TeamChanges

if TYPE_CHECKING:
    import duckdb


def sync(settings: Settings, progress: Progress) -> Outcome:
    """Bring the warehouse up to date with the API. Raises CekuraSyncError, and then nothing has changed."""
    now = clock.now()
    team = team_changes.read(settings.changes) if settings.changes else None
    models = TeamModels(settings.models) if settings.models else None
    receivers = notify.receivers(settings.notify, allow_http=settings.allow_http)
    warehouse = open_warehouse(settings.warehouse, settings.destination, models)
    with warehouse.observed() if settings.dry_run else warehouse.locked(), warehouse.known() as con:
        past = history.read(con, history.scope_text(settings.filters), warehouse.pending_log(), now=now)
        with _journal(con, warehouse, settings, past, now, progress) as journal:
            comparison = _comparison(con, settings, past, journal, now, warehouse.lookup(con))
            with connect(settings, past) as client:
                api = Api(client, settings)
                get_ready = partial(_get_ready, warehouse, comparison)
                listing = scan(api, settings, past, comparison, progress, journal, get_ready)
                progress.say(f"Pages read: {listing.pages:,}; retries: {client.retries:,}.")
                details = _read_details(api, settings, comparison, progress) if settings.details else None
            _warn(comparison, team, progress)
            _warn_of_nothing(listing, settings, past, progress)
            outcome = outcome_of(
                listing,
                comparison,
                settings,
                past,
                client,
                went_on=None if journal.reading.started is None else now,
                warehouse=warehouse.name,
                changed=comparison.changeset.has_changes()
                or (team is not None and team_changes.differ(con, team))
                or (models is not None and models.differ(con)),
                **(asdict(details) if details else {}),
            )
            if settings.dry_run:
                return outcome
            outcome = warehouse.write(comparison.changeset, team, outcome, progress)
            # The sync is complete. What cannot be removed fits only the warehouse of before.
            with suppress(OSError):
                journal.remove()
            _tell(warehouse, receivers, outcome, progress)
    return outcome


@contextmanager
def _journal(
    con: "duckdb.DuckDBPyConnection",
    warehouse: Warehouse,
    settings: Settings,
    past: History,
    now: datetime,
    progress: Progress,
) -> Iterator[Journal]:
    """Of a full sync; it stays where the sync is interrupted, and goes where what it holds cannot be trusted."""
    place = None if settings.dry_run else warehouse.journal()
    if place is None:
        yield Journal()
        return
    path, known = place
    if wants_full(settings, past, now):
        journal = open_journal(con, path, settings, known, now, progress.warn)
        if (reading := journal.reading).chain is not None:
            progress.say(
                f"The reading that began at {reading.started:%Y-%m-%d %H:%M} UTC is continued: it had come as far as {len(reading.chain):,} results."
            )
    else:
        journal = Journal(path=path)
    try:
        yield journal
    except BaseException as error:
        if exit_code_for(error) not in INTERRUPTED and not isinstance(error, UnreadableAnswer):
            journal.remove()
        raise


def _comparison(
    con: "duckdb.DuckDBPyConnection",
    settings: Settings,
    past: History,
    journal: Journal,
    now: datetime,
    lookup: Lookup,
) -> Comparison:
    """A reading that is continued counts from its own start."""
    return Comparison(
        con,
        started=journal.reading.started or now,
        is_filtered=bool(settings.filters.params()),
        agent_id=settings.filters.agent_id,
        covers=history.covered(settings.filters, past),
        belongs=history.belonging(settings.filters),
        project_id=settings.filters.project_id,
        personal_data=PersonalData(
            settings.transcripts,
            settings.profiles,
            since=now - settings.keep_transcripts if settings.keep_transcripts else None,
        ),
        lookup=lookup,
        earlier=journal.reading.comparison,
    )


def _tell(warehouse: Warehouse, receivers: list[Receiver], outcome: Outcome, progress: Progress) -> None:
    """The sync is committed, and no receiver or view can change that."""
    if not receivers:
        return
    try:
        tell(warehouse, receivers, progress, changed=outcome.changed)
    except Exception as error:
        progress.warn(
            f"The news could not be sent ({type(error).__name__}): the next sync tries again. The sync itself is not affected."
        )


def _get_ready(warehouse: Warehouse, comparison: Comparison) -> None:
    """Call it as soon as there is something to write."""
    if comparison.changeset.something_changed():
        warehouse.expect_changes()


def _read_details(api: Api, settings: Settings, comparison: Comparison, progress: Progress) -> DetailCounts:
    if settings.dry_run:
        return count_due(comparison)
    return read_details(
        api,
        comparison,
        budget=settings.details_budget,
        progress=progress,
    )


def _warn(comparison: Comparison, team: TeamChanges | None, progress: Progress) -> None:
    for flaw in team.flaws if team else ():
        progress.warn(flaw)
    if comparison.rejected.count:
        progress.warn(
            f"{comparison.rejected.count:,} rows could not be stored: see the table cekura.rejected_rows."
        )
    if left_out := comparison.keys.left_out:
        progress.warn(
            f"{len(left_out):,} fields of the API were left out, such as {min(left_out)}: their names differ from others only by capital letters, or they are more than the {MAX_FIELDS} that a table has columns for."
        )
    if comparison.other_agents:
        progress.warn(
            f"{comparison.other_agents:,} rows of other agents came back despite --agent-id; they were left out."
        )


def _warn_of_nothing(listing: Listing, settings: Settings, past: History, progress: Progress) -> None:
    """An empty account is not an error, but often it is the wrong account."""
    if listing.full and not len(listing.chain) and past.watermark is None:
        scope = settings.filters.text()
        mistake = (
            f" for {scope}: is the filter right" if scope else ": does the key belong to the right account"
        )
        progress.warn(f"The API lists no results{mistake}?")
