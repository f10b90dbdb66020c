"""Which rows that were read differ from those that are known: field by field, run by run, scenario by scenario."""

from collections.abc import Iterator

import duckdb

from cekura_sync.database import quoted
from cekura_sync.diff.records import Keys, runs_of, scenarios_of
from cekura_sync.tables import RESULTS, RUNS, SCENARIOS

_PARSED = "parsed where id in (select id from base.cekura.results)"


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
        with_runs, with_scenarios = (f"{_PARSED} and {name} is not null" for name in ("runs", "scenarios"))
        runs = [*RUNS, *keys.new_run_columns.values()]
        return " union ".join(
            (
                self.differing_in_a_field(keys, "_runs_known"),
                *self._both_ways("runs", runs, runs_of(with_runs, keys), with_runs),
                *self._both_ways(
                    "result_scenarios", [*SCENARIOS], scenarios_of(with_scenarios), with_scenarios
                ),
            )
        )

    def differing_in_a_field(self, keys: Keys, *more: str) -> str:
        """The same, of the result's own fields and of these columns alone."""
        columns = [*RESULTS, *more, *keys.new_row_columns.values()]
        stored = self._stored("results", "id", columns, _PARSED)
        return f"select id from ({_select(columns)} from {_PARSED} except {stored})"

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
