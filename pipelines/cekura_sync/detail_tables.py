"""The tables of run details: their columns, and how they come into a warehouse that dlt has not written any to yet."""

RUN_FIELDS = {
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
LISTS = {
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
CHILDREN = {
    "run_details": RUN_FIELDS,
    **{table: {"result_id": "bigint", **columns} for table, columns in LISTS.values()},
}
# One row per result that was asked for. `result_synced_at` is its `synced_at` then: another one now makes it due.
READ = {
    "result_id": "bigint",
    "result_synced_at": "timestamptz",
    "read_at": "timestamptz",
    "outcome": "varchar",  # read, missing (404) or rejected; the last good details stay
    "with_transcripts": "boolean",
    "_digest": "varchar",
}
TABLES = {"details_read": READ, **CHILDREN}
