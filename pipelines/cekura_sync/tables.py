"""Every table of the schema `cekura`: its columns and their types in DuckDB. Nothing else says it again."""

SCHEMA = "cekura"

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
LATER = {"details_read": "bigint", "details_left": "bigint"}  # not in the log of older warehouses
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
LOG_COLUMNS = ", ".join(f"{name} {kind}" for name, kind in LOG.items())
CHANGES = {
    "line": "bigint",
    "agent_id": "bigint",
    "changed_at": "timestamptz",
    "note": "varchar",
}  # what the team noted

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
# One row per result that was asked for. `result_synced_at` is its `synced_at` then: another one now makes it due.
DETAILS_READ = {
    "result_id": "bigint",
    "result_synced_at": "timestamptz",
    "read_at": "timestamptz",
    "outcome": "varchar",  # read, missing (404) or rejected; the last good details stay
    "with_transcripts": "boolean",
    "_digest": "varchar",
}
DETAILS = {"details_read": DETAILS_READ, **DETAIL_CHILDREN}

# What the views select from and a warehouse may lack: an older version wrote it, or its API sends less.
ADDED_TABLES = {
    **{table: {**columns, "_removed": "boolean"} for table, columns in DETAILS.items()},
    "changes": CHANGES,
    "sync_log": LOG,
}
ADDED_COLUMNS = (
    *(("results", name, RESULTS[name]) for name in ("agent_version", "agent_version_id", "project_id")),
    ("runs", "error_message", "varchar"),
    *(
        ("failed_reasons", name, kind)
        for name, kind in (
            ("title", "varchar"),
            ("description", "varchar"),
            ("affected_count", "bigint"),
            ("run_ids", "varchar"),
        )
    ),
    *(("sync_log", name, kind) for name, kind in LATER.items()),
)

# Of the other tables, a comparison with a database only needs to know which results have rows.
COPIED_IN_FULL = (
    "results",
    "runs",
    "result_scenarios",
    "rejected_rows",
    "_fields",
    "_watermarks",
    "sync_log",
    "changes",
    "details_read",
)
