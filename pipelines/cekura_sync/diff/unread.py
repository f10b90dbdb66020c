"""Where a destination cannot be read back: everything that was read is loaded, with what is to be removed there."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cekura_sync.database import as_dicts
from cekura_sync.tables import TERMINAL

if TYPE_CHECKING:
    import duckdb

SCENARIO_KEY = "md5(concat_ws(' ', result_id, coalesce(scenario_id::varchar, ''), scenario_name))"
# A result that has no runs (or scenarios) left gets one row that only says "remove": the others go with their `result_id`.
# That row needs a key of its own, which no run can have: ids of the API are positive.
ROWS = {
    "results": "select * exclude (change, scenarios_known, first_seen_at, _digest), false as _removed from changed",
    "runs": "select distinct on (id) *, false as _removed from changed_runs order by id, result_id desc",
    "result_scenarios": f"select *, {SCENARIO_KEY} as _key, false as _removed from changed_scenarios",
    "rejected_rows": "select distinct on (_digest) *, false as _removed from rejected",
}
REMOVALS = {
    "results": "select id, true as _removed from gone where not aged",
    "runs": """
        select -id as id, id as result_id, true as _removed from (
            select id from changed where _runs_known and id not in (select result_id from changed_runs)
            union select id from gone where not aged
        )
    """,
    "result_scenarios": """
        select id as result_id, id::varchar as _key, true as _removed from (
            select id from changed where scenarios_known and id not in (select result_id from changed_scenarios)
            union select id from gone where not aged
        )
    """,
}
_UNFINISHED = f"""
    select id, agent, _digest, created_at::varchar as created_at, synced_at::varchar as synced_at from (
        select id, agent, _digest, created_at, synced_at, status from changed
        union all
        select id, agent, _digest, created_at, synced_at, status from base.cekura.results
        where id not in (select id from changed) and id not in (select id from gone)
    ) where status is null or status not in {TERMINAL}
"""


def remember(con: "duckdb.DuckDBPyConnection", unfinished_before: Iterable[dict[str, Any]]) -> None:
    """Put into the empty base the results that were unfinished after the last run."""
    for row in unfinished_before:
        con.execute(
            "insert into base.cekura.results by name select $id::bigint as id, $agent::bigint as agent, $_digest as _digest,"
            " $created_at::timestamptz as created_at, $synced_at::timestamptz as synced_at",
            row,
        )


def remember_fields(con: "duckdb.DuckDBPyConnection", fields: Iterable[dict[str, str]]) -> None:
    """Put into the empty base which columns stand for fields that are in none of the API's documents."""
    for field in fields:
        con.execute(
            "insert into base.cekura._fields by name select"
            " $table_name as table_name, $api_name as api_name, $column_name as column_name",
            field,
        )


def unfinished(con: "duckdb.DuckDBPyConnection") -> list[dict[str, Any]]:
    """What the next run has to ask for by id."""
    return as_dicts(con.execute(_UNFINISHED))
