"""What parsed records say, in the columns of the warehouse: for keeping them, and for telling whether they differ from what is known."""

from collections.abc import Iterator

import duckdb

from cekura_sync.database import quoted
from cekura_sync.diff.records import Keys, cast
from cekura_sync.tables import RESULTS, RUNS, SCENARIOS

SECONDS = """
    case when contains(run.duration, ':')
        then coalesce(try_cast(nullif(split_part(run.duration, ':', -3), '') as double), 0) * 3600
            + try_cast(split_part(run.duration, ':', -2) as double) * 60
            + try_cast(split_part(run.duration, ':', -1) as double)
        else try_cast(run.duration as double) end as duration_seconds
"""
_IS_OBJECT = "run.scenario like '{%' and json_valid(run.scenario)"


def runs_of(records: str, keys: Keys) -> str:
    """The rows of `runs` in `records` (what follows `from`), each column under its name."""
    more = "".join(f", run.{quoted(key)} as {quoted(name)}" for key, name in keys.new_run_columns.items())
    scenario = f"case when {_IS_OBJECT} then run.scenario ->> 'id' else run.scenario end"
    named = f"""
        coalesce(run.scenario_name, case when {_IS_OBJECT} then run.scenario ->> 'name'
            when try_cast(run.scenario as double) is null then run.scenario end) as scenario_name
    """
    return (
        # Some engines take no "nan", and no view could add one up.
        "select * replace (case when isfinite(duration_seconds) then duration_seconds end as duration_seconds) from ("
        f"select run.id, result_id, run.status, run.success, {cast(scenario, 'bigint')} as scenario, {named},"
        f" {SECONDS}, run.error_message {more}"
        f" from (select parsed.id as result_id, unnest(runs) as run from {records}))"
    )


def scenarios_of(records: str) -> str:
    return (
        "select distinct result_id, scenario.id as scenario_id, scenario.name as scenario_name"
        f" from (select parsed.id as result_id, unnest(scenarios) as scenario from {records})"
    )


class Known:
    """The content that the base holds, in whatever columns it has by now."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        query = (
            "select table_name, column_name from duckdb_columns()"
            " where database_name = 'base' and schema_name = 'cekura'"
        )
        self._columns = {*con.execute(query).fetchall()}

    def has(self, table: str, column: str) -> bool:
        return (table, column) in self._columns

    def differing(self, keys: Keys) -> str:
        """A query for the ids of known results whose parsed content is another: in a field, a run or a scenario.

        `runs` and `scenarios` that the API leaves out say nothing, so nothing is held against them.
        """
        parsed = "parsed where id in (select id from base.cekura.results)"
        with_runs, with_scenarios = (f"{parsed} and {name} is not null" for name in ("runs", "scenarios"))
        results = [*RESULTS, "_runs_known", *keys.new_row_columns.values()]
        runs = [*RUNS, *keys.new_run_columns.values()]
        return " union ".join(
            (
                f"select id from ({_select(results)} from {parsed} except {self._stored('results', 'id', results, parsed)})",
                *self._both_ways("runs", runs, runs_of(with_runs, keys), with_runs),
                *self._both_ways(
                    "result_scenarios", [*SCENARIOS], scenarios_of(with_scenarios), with_scenarios
                ),
            )
        )

    def _both_ways(self, table: str, columns: list[str], read: str, parsed: str) -> Iterator[str]:
        read = f"{_select(columns)} from ({read})"
        stored = self._stored(table, "result_id", columns, parsed)
        for one, other in ((read, stored), (stored, read)):
            yield f"select result_id from ({one} except {other})"

    def _stored(self, table: str, key: str, columns: list[str], parsed: str) -> str:
        """The same columns of the base; one that it does not have yet is NULL throughout."""
        present = [
            quoted(name) if (table, name) in self._columns else f"null as {quoted(name)}" for name in columns
        ]
        return (
            f"select {', '.join(present)} from base.cekura.{table} where {key} in (select id from {parsed})"
        )


def _select(columns: list[str]) -> str:
    return f"select {', '.join(map(quoted, columns))}"
