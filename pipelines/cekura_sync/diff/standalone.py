"""One run of the dlt source: what it read from the API, compared with what the destination holds, and the rows to load.

Where a destination cannot be read back, all that was read is handed on. What must then be remembered until the next run fits
into a small state: when runs started, what was unfinished, and the columns that stand for fields which are in none of the
API's documents.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from cekura_sync import clock, database
from cekura_sync.api.endpoints import Api
from cekura_sync.diff import history, unread
from cekura_sync.diff.base import Lookup, open_base
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.history import COUNTS_TO_DEPEND_ON, History
from cekura_sync.diff.journal import Journal
from cekura_sync.diff.reading import Part, Reading
from cekura_sync.diff.scan import connect, outcome_of, scan
from cekura_sync.diff.unread import SCENARIO_KEY
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.settings import Settings
from cekura_sync.tables import LOG

if TYPE_CHECKING:
    import duckdb

LOG_AT_LEAST_EVERY = timedelta(hours=1)  # how old `sync_log` may grow while nothing changes
# Children that a load which never ended has left without their result.
_ORPHANS = """
    select id from unfinished where id not in (select id from base.cekura.results) and id not in (select id from changed)
"""
# Some table formats can only remove rows by their key, so each lost child is named.
_LOST_RUNS = f"""
    select distinct on (id) *, true as _removed from base.cekura.runs
    where (result_id in (select id from changed where _runs_known) or result_id in ({_ORPHANS}))
        and id not in (select id from changed_runs)
"""
_SCENARIOS = f"""
    with listed as (select *, {SCENARIO_KEY} as _key from changed_scenarios)
    select *, false as _removed from listed
    union all by name
    select distinct *, {SCENARIO_KEY} as _key, true as _removed from base.cekura.result_scenarios
    where (result_id in (select id from changed where scenarios_known) or result_id in ({_ORPHANS}))
        and {SCENARIO_KEY} not in (select _key from listed)
"""


READERS = "dlt commits one table after another, so readers see each table at its own moment; nothing keeps a second run out"


class State(TypedDict, total=False):
    """What a scope keeps between two runs, beside its watermark."""

    last_started: str
    last_full_started: str
    logged_at: str  # when the last run began that this scope wrote into `sync_log`
    # id, agent, created_at, synced_at, _digest; only where nothing can be read back
    unfinished: list[dict[str, Any]]
    fields: list[dict[str, str]]
    shortfalls: list[int]  # the newest first


class Known(Lookup):
    """What the destination holds, read into the base of a comparison.

    The table `unfinished` names the results of which a load that never ended has written something.
    """

    @property
    def present(self) -> set[str]:
        """The tables that need not be created."""
        return set()

    @property
    def is_torn(self) -> bool:
        """Whether only a full run can tell what a load that never ended should have written."""
        return False


def read(
    settings: Settings,
    state: State,
    watermark: datetime | None,
    progress: Progress,
    read_back: Callable[["duckdb.DuckDBPyConnection"], Known] | None,
    destination: str,
) -> Reading:
    """Everything that this run reads from the API, proved complete. Changes `state`. Raises CekuraSyncError.

    `read_back` fills the base; None where the destination cannot be read back.
    """
    started = clock.now()
    con = open_base(None)
    con.execute("create table unfinished (id bigint)")
    unread.remember_fields(con, state.get("fields", []))
    known = read_back(con) if read_back else None
    past = _past(con, state, history.scope_text(settings.filters), watermark, known, now=started)
    if known is None:
        progress.warn("This destination cannot be read back, so all rows that are read are merged again.")
        unread.remember(con, state.get("unfinished", []))
        # Only the unfinished ones are known here, and any number of those may be gone.
        settings = replace(settings, allow_mass_delete=True)
    elif known.is_torn:
        progress.warn("A load into this destination was interrupted, so everything is read again.")
        settings = replace(settings, full=True)
    comparison = Comparison(
        con,
        started=started,
        is_filtered=bool(settings.filters.params()),
        agent_id=settings.filters.agent_id,
        project_id=settings.filters.project_id,
        covers=history.covered(settings.filters, past) if known else "true",
        lookup=known if known else None,
    )
    with connect(settings, past) as client:
        listing = scan(Api(client, settings), settings, past, comparison, progress, Journal())
    _warn(comparison, progress)
    progress.say(f"Into {destination or 'nothing'}: {READERS}.")
    changed = known is None or _has_changes(con, comparison, known)
    outcome = outcome_of(listing, comparison, settings, past, client, warehouse=destination, changed=changed)
    logged = changed or _log_is_old(con, started)
    _prepare_log(con, outcome, is_known=known is not None)
    _note(con, state, comparison, known, outcome, past, logged=logged)
    if known is None:
        return Reading(con, outcome.watermark, _everything(first=past.last_started is None), set())
    parts = _changes(comparison) if changed else {}
    if logged:
        parts["sync_log"] = [Part("from new_log")]
    return Reading(con, outcome.watermark, parts, known.present)


def _changes(comparison: Comparison) -> dict[str, list[Part]]:
    query = comparison.changeset.query
    return {
        "results": [
            Part(f"select *, false as _removed from ({query('results')})", {"started": comparison.started})
        ],
        "runs": [Part(f"{query('runs')} union all by name {_LOST_RUNS}")],
        "result_scenarios": [Part(_SCENARIOS)],
        "rejected_rows": [Part(query("rejected_rows"))],
    }


def _everything(*, first: bool) -> dict[str, list[Part]]:
    parts = {table: [Part(query)] for table, query in unread.ROWS.items()}
    if not first:  # so there is something to remove
        for table, query in unread.REMOVALS.items():
            parts[table].append(Part(query))
    return parts | {"sync_log": [Part("from new_log")]}


def _has_changes(con: "duckdb.DuckDBPyConnection", comparison: Comparison, known: Known) -> bool:
    known.fetch_children(_ORPHANS)
    return comparison.changeset.has_changes() or bool(con.execute(f"{_ORPHANS} limit 1").fetchall())


def _past(
    con: "duckdb.DuckDBPyConnection",
    state: State,
    scope: str,
    watermark: datetime | None,
    known: Known | None,
    *,
    now: datetime,
) -> History:
    """The state knows of runs that changed nothing and are not in `sync_log`.

    But it is believed only where the destination has the run that the state knows to be logged: it may be of another
    destination, or of a load that never ended.
    """
    started, full, logged_at = (
        datetime.fromisoformat(text) if text else None
        for text in (state.get("last_started"), state.get("last_full_started"), state.get("logged_at"))
    )
    shortfalls = state.get("shortfalls", [])
    if known is None:
        return History(started, full, watermark, only_this_scope=True, shortfalls=shortfalls)
    logged = history.read(con, scope, [], now=now)
    mine = "from base.cekura.sync_log where scope = $1"
    last = f"select watermark {mine} and started_at <= $2 order by started_at desc limit 1"
    newest = con.execute(last, [scope, now]).fetchall()
    logged = replace(logged, watermark=newest[0][0] if newest else None)
    # Not every engine keeps microseconds.
    same = f"select 1 {mine} and abs(epoch(started_at) - epoch($2::timestamptz)) < 1 limit 1"
    if not con.execute(same, [scope, logged_at]).fetchall():
        return logged
    return replace(
        logged,
        last_started=clock.latest(logged.last_started, started),
        last_full_started=clock.latest(logged.last_full_started, full),
        watermark=clock.latest(logged.watermark, watermark),
        shortfalls=shortfalls or logged.shortfalls,
    )


def _log_is_old(con: "duckdb.DuckDBPyConnection", now: datetime) -> bool:
    newest = con.execute("select max(finished_at) from base.cekura.sync_log where finished_at <= $1", [now])
    last = newest.fetchall()[0][0]
    return last is None or now - last >= LOG_AT_LEAST_EVERY


def _prepare_log(con: "duckdb.DuckDBPyConnection", outcome: Outcome, *, is_known: bool) -> None:
    """The table `new_log` with this run's row. Without a comparison there is nothing to count."""
    (last,) = con.execute("select max(generation) from base.cekura.sync_log").fetchall()[0]
    entry = outcome.log_entry() | {"generation": (last or 0) + 1 if is_known else None}
    if not is_known:
        entry |= dict.fromkeys(
            ("inserted", "updated", "unchanged", "deleted", "restored", "in_flight", "results")
        )
    con.execute(f"create or replace table new_log ({database.column_list(LOG)})")
    con.execute(
        f"insert into new_log values ({', '.join('?' * len(LOG))})", [entry.get(name) for name in LOG]
    )


def _note(
    con: "duckdb.DuckDBPyConnection",
    state: State,
    comparison: Comparison,
    known: Known | None,
    outcome: Outcome,
    past: History,
    *,
    logged: bool,
) -> None:
    """For the next run."""
    state["unfinished"] = unread.unfinished(con) if known is None else []
    state["fields"] = [*comparison.changeset.fields()]
    state["last_started"] = comparison.started.isoformat()
    if logged:
        state["logged_at"] = comparison.started.isoformat()
    if outcome.mode == "full":
        state["last_full_started"] = comparison.started.isoformat()
    if outcome.shortfall is not None:
        state["shortfalls"] = [outcome.shortfall, *past.shortfalls][:COUNTS_TO_DEPEND_ON]


def _warn(comparison: Comparison, progress: Progress) -> None:
    if comparison.rejected.count:
        progress.warn(f"{comparison.rejected.count:,} rows could not be stored: see the table rejected_rows.")
    if comparison.other_agents:
        progress.warn(
            f"{comparison.other_agents:,} rows of other agents came back despite agent_id; left out."
        )
