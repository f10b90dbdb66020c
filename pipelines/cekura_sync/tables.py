"""Every table of the schema `cekura`: its columns with their types in DuckDB, and its key. Nothing else says it again."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from cekura_sync.database import column_list, quoted

if TYPE_CHECKING:
    import duckdb

SCHEMA = "cekura"


class Table(NamedTuple):
    columns: dict[str, str]
    key: tuple[str, ...]  # no two rows share it
    parent: str | None = None  # a column; all rows that share its value are replaced together
    removable: bool = False  # dlt removes the rows that a sync marks `_removed`


# The fields of a result in the API's list.
RESULTS = {
    "id": "bigint",
    "name": "varchar",
    "agent": "bigint",
    "agent_name": "varchar",
    "agent_inbound": "boolean",
    "status": "varchar",
    "success_rate": "double",
    "run_as_text": "boolean",
    "is_cronjob": "boolean",
    "met_expected_outcome_count": "bigint",
    "total_expected_outcome_count": "bigint",
    "total_runs_count": "bigint",
    "completed_runs_count": "bigint",
    "success_runs_count": "bigint",
    "failed_runs_count": "bigint",
    "run_type": "varchar",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    # In no document of the older API. Texts, because warehouses that met them as unknown fields hold them so.
    "agent_version": "varchar",  # its name; some accounts send only that
    "agent_version_id": "varchar",  # the history_id, where the version is an object
    "project_id": "varchar",
}
TERMINAL = ("completed", "failed", "timeout", "cancelled")
LIVE = "deleted_at is null and aged_out_at is null"
AGED_OUT = "deleted_at is null and aged_out_at is not null"
UNFINISHED = f"(status is null or status not in {TERMINAL})"
RUNS = {
    "id": "bigint",
    "result_id": "bigint",
    "status": "varchar",
    "success": "boolean",
    "scenario": "bigint",
    "scenario_name": "varchar",
    "duration_seconds": "double",
    "error_message": "varchar",
}
SCENARIOS = {"result_id": "bigint", "scenario_id": "bigint", "scenario_name": "varchar"}
# What a sync adds to each result.
READING = {
    "_runs_known": "boolean",
    "_digest": "varchar",
    "_in_flight_since": "timestamptz",  # NULL when it has ended, and where nobody has looked
    "first_seen_at": "timestamptz",
    "synced_at": "timestamptz",
}
GONE = {"deleted_at": "timestamptz", "aged_out_at": "timestamptz"}
# How many runs of a result are listed, have an outcome other than unknown, passed, and passed or failed, by analytics.runs. Every
# row that is written anew has NULL; a sync into a file counts its runs before it commits, and views count where there is NULL.
COUNTED = {
    "_runs_listed": "bigint",
    "_runs_with_outcome": "bigint",
    "_runs_passed": "bigint",
    "_runs_decided": "bigint",
}
REJECTED = {
    "_digest": "varchar",
    "id": "bigint",
    "reason": "varchar",
    "raw": "varchar",
    "seen_at": "timestamptz",
}
# Which column holds a field that is in none of the API's documents.
FIELDS = {"table_name": "varchar", "api_name": "varchar", "column_name": "varchar"}
WATERMARKS = {"scope": "varchar", "updated_at": "timestamptz"}
# Not in the log of older warehouses. `shortfall`: by how much the API's `count` exceeded the rows that it listed; negative
# where it was less, NULL where the list was not read to its end.
LATER = {"details_read": "bigint", "details_left": "bigint", "shortfall": "bigint"}
LOG = {
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
    "mode": "varchar",
    "scope": "varchar",
    "watermark": "timestamptz",
    "requests": "bigint",
    "retries": "bigint",
    "pages": "bigint",
    "rows_read": "bigint",
    "inserted": "bigint",
    "updated": "bigint",
    "unchanged": "bigint",
    "deleted": "bigint",
    "restored": "bigint",
    "rejected": "bigint",
    "in_flight": "bigint",
    "results": "bigint",
    "seconds": "double",
    "changed": "boolean",
    "generation": "bigint",
    **LATER,
}
# The team's changes to its agents.
CHANGES = {
    "line": "bigint",
    "agent_id": "bigint",
    "changed_at": "timestamptz",
    "note": "varchar",
}

# Results that were erased on purpose, so that no sync brings them back. It holds nothing of what they said.
ERASED = {"id": "bigint", "erased_at": "timestamptz", "transcripts_only": "boolean"}

# What a receiver of news has been told; `receiver` is a digest of its address, which is a secret.
TOLD = {
    "receiver": "varchar",
    "kind": "varchar",
    "subject": "varchar",
    "told_at": "timestamptz",
    "rate_before": "double",
    "rate": "double",
}

# -- run details -----------------------------------------------------------------------------------------------------

RUN_DETAILS = {
    "run_id": "bigint",
    "result_id": "bigint",
    "status": "varchar",
    "success": "boolean",
    "scenario": "bigint",
    "scenario_name": "varchar",
    "personality_name": "varchar",
    "error_message": "varchar",
    "duration_seconds": "double",
    "timestamp": "timestamptz",
    "executed_at": "timestamptz",
    "metadata": "varchar",
}
# The lists of a document → the table each becomes, without its `result_id`.
DETAIL_LISTS = {
    "metrics": (
        "run_metrics",
        {
            "run_id": "bigint",
            "metric_id": "bigint",
            "name": "varchar",
            "type": "varchar",
            "score": "double",
            "passed": "boolean",
            "enum_value": "varchar",
            "explanation": "varchar",
            "more": "varchar",
        },
    ),
    "outcomes": (
        "expected_outcomes",
        {"run_id": "bigint", "score": "double", "explanation": "varchar", "more": "varchar"},
    ),
    "summary": (
        "result_metrics",
        {
            "metric_id": "bigint",
            "name": "varchar",
            "type": "varchar",
            "score": "double",
            "passed": "boolean",
            "enum_value": "varchar",
            "explanation": "varchar",
            "more": "varchar",
        },
    ),
    "reasons": (
        "failed_reasons",
        {
            "place": "bigint",
            "run_id": "bigint",
            "scenario": "bigint",
            "reason": "varchar",
            "title": "varchar",
            "description": "varchar",
            "affected_count": "bigint",
            "run_ids": "varchar",  # a JSON array
            "more": "varchar",
        },
    ),
    "turns": (
        "transcript_turns",
        {
            "run_id": "bigint",
            "place": "bigint",
            "role": "varchar",
            "content": "varchar",
            "start_time": "double",
            "end_time": "double",
            "more": "varchar",
        },
    ),
}
DETAIL_CHILDREN = {
    "run_details": RUN_DETAILS,
    **{table: {"result_id": "bigint", **columns} for table, columns in DETAIL_LISTS.values()},
}
TABLES_WITH_MORE = [table for table, columns in DETAIL_CHILDREN.items() if "more" in columns]
# One row per result that was asked for. `result_synced_at` is its `synced_at` then: another one now makes it due.
DETAILS_READ = {
    "result_id": "bigint",
    "result_synced_at": "timestamptz",
    "read_at": "timestamptz",
    "outcome": "varchar",  # read, missing (404) or rejected; the last good details stay
    "with_transcripts": "boolean",
    "with_profiles": "boolean",
    "_digest": "varchar",
}
DETAILS = {"details_read": DETAILS_READ, **DETAIL_CHILDREN}

# -- all of them -----------------------------------------------------------------------------------------------------

_RESULT = "result_id"  # the rows of a result go with it
TABLES = {
    "results": Table(RESULTS | READING | GONE | COUNTED, ("id",)),
    "runs": Table(RUNS, ("id",), _RESULT, removable=True),
    "result_scenarios": Table(SCENARIOS, (*SCENARIOS,), _RESULT, removable=True),
    "rejected_rows": Table(REJECTED, ("_digest",), removable=True),
    "_fields": Table(FIELDS, ("table_name", "api_name")),
    "_watermarks": Table(WATERMARKS, ("scope",)),
    "sync_log": Table(LOG, ("scope", "started_at")),
    "changes": Table(CHANGES, ("line",)),
    "_told": Table(TOLD, ("receiver", "kind", "subject")),
    "_erased": Table(ERASED, ("id", "transcripts_only")),
    "details_read": Table(DETAILS_READ, (_RESULT,), _RESULT, removable=True),
    "run_details": Table(RUN_DETAILS, ("run_id", "result_id"), _RESULT, removable=True),
    **{
        table: Table(DETAIL_CHILDREN[table], (*DETAIL_CHILDREN[table],), _RESULT, removable=True)
        for table, _ in DETAIL_LISTS.values()
    },
}


# Version 0.1.0 stored a version that is an object as its JSON text. Rows that are never listed again need it read too.
_READ_VERSIONS = f"""
    update {SCHEMA}.results
    set agent_version_id = cast(agent_version as json) ->> 'history_id',
        agent_version = coalesce(
            nullif(cast(agent_version as json) ->> 'version_name', ''), cast(agent_version as json) ->> 'version_id')
    where agent_version like '{{%"history_id"%}}'
"""


def missing(present: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Statements for the tables and columns that a database lacks: an older version wrote it, or its API sends less.

    `present`: each table's columns.
    """
    for name, table in TABLES.items():
        columns = table.columns | ({"_removed": "boolean"} if table.removable else {})
        if name not in present:
            yield f"create table {SCHEMA}.{name} ({column_list(columns)})"
            continue
        for column, kind in table.columns.items():
            if column not in present[name]:
                yield f"alter table {SCHEMA}.{name} add column {quoted(column)} {kind}"
    if "agent_version_id" not in present.get("results", ["agent_version_id"]):
        yield _READ_VERSIONS


def complete(con: "duckdb.DuckDBPyConnection") -> None:
    """Make what the views select from and the warehouse that `con` writes lacks."""
    present: dict[str, set[str]] = {}
    query = "select table_name, column_name from duckdb_columns() where database_name = current_database() and schema_name = $1"
    for table, column in con.execute(query, [SCHEMA]).fetchall():
        present.setdefault(table, set()).add(column)
    for statement in missing(present):
        con.execute(statement)
