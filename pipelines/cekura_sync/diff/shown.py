"""What the list shows of a result and of a run, so that a record by id is compared with nothing else."""

import duckdb

from cekura_sync.diff.base import Lookup
from cekura_sync.diff.differing import Known
from cekura_sync.diff.records import RARE, Keys

# As the view analytics.results reads the scale, less what it takes from the counts.
_SCALE_VOTES = """
    with newest as (
        select id, success_rate, total_runs_count from {results}
        where success_rate > 0 order by synced_at desc limit 1000
    ),
    shares as (
        select result_id, count(*) as listed, count(*) filter (success) / count(*) as share
        from {runs} where result_id in (select id from newest)
        group by result_id having bool_or(success is not null)
    )
    select count(*) filter (abs(success_rate - share) * listed <= 0.5),
        count(*) filter (success_rate > 1.01
            or (success_rate / 100 * listed >= 0.5 and abs(success_rate / 100 - share) * listed <= 0.5))
    from newest left join shares on result_id = id and listed = total_runs_count
"""
# Enough to see which fields the list shows of a run.
_NEWEST_KNOWN = "select id from base.cekura.results where _runs_known order by synced_at desc limit 200"


class Shown:
    """By what was listed in this sync, and by what is known; on the connection of a comparison."""

    def __init__(self, con: duckdb.DuckDBPyConnection, keys: Keys, known: Known, lookup: Lookup) -> None:
        self._con = con
        self._keys = keys
        self._known = known
        self._lookup = lookup

    def keys(self) -> tuple[set[str], set[str]]:
        """Those of a result and those of a run."""
        self._lookup.fetch_newest()
        self._lookup.fetch_children(_NEWEST_KNOWN)
        rows = {key for key in self._keys.row if key not in RARE or self._is_shown("results", "changed", key)}
        runs = {
            key for key in self._keys.run if key not in RARE or self._is_shown("runs", "changed_runs", key)
        }
        return rows, runs

    def _is_shown(self, table: str, fresh: str, column: str) -> bool:
        known = f"union all select {column} from base.cekura.{table}"
        query = f"select {column} from {fresh} {known if self._known.has(table, column) else ''}"
        return bool(
            self._con.execute(f"select 1 from ({query}) where {column} is not null limit 1").fetchall()
        )

    def in_percent(self) -> bool:
        """Whether the list gives `success_rate` in percent, by what was listed now, or else by the newest known rows."""
        for results, runs in (("changed", "changed_runs"), ("base.cekura.results", "base.cekura.runs")):
            query = _SCALE_VOTES.format(results=results, runs=runs)
            fractions, percentages = self._con.execute(query).fetchall()[0]
            if fractions or percentages:
                return bool(percentages >= fractions)
        return False

    def some_ids(self) -> list[int]:
        """Listed ids from the top, the middle and the end, because one part of the list proves nothing about the others."""
        rows = self._con.execute("select unnest(quantile_disc(id, [1, 0.5, 0])) from listed").fetchall()
        return list(dict.fromkeys(row[0] for row in rows))
