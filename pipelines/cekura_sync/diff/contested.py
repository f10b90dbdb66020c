"""Runs that two results list. Such a run belongs to the newer result, as long as that one is live and lists it.

Whether it still does, only the end of the reading tells: so a result of which the warehouse knows a run as that of a newer one
is set aside, and compared last.
"""

from collections.abc import Iterator, Sequence

import duckdb

from cekura_sync import database
from cekura_sync.api.decode_rows import Row
from cekura_sync.tables import LIVE

SETTLED_AT_A_TIME = 200  # results

_RUNS_OF_NEWER = """
    create or replace temp table runs_of_newer as
    with listed_runs as (select id as result_id, unnest(runs).id as run_id from parsed)
    select listed_runs.result_id, listed_runs.run_id
    from listed_runs join ({owned}) as owned on owned.id = listed_runs.run_id
    where owned.result_id > listed_runs.result_id
"""
_AT_FIRST = f"""
    select id, result_id from base.cekura.runs where result_id in (select id from base.cekura.results where {LIVE})
"""
_IN_THE_END = f"""
    {_AT_FIRST} and result_id not in (select id from gone) and result_id not in (select id from changed where _runs_known)
    union all
    select id, result_id from changed_runs
"""
_SET_ASIDE = """
    insert into contested
    select parsed.id, given.created, given.raw -- a field of the API may have such a name, too
    from parsed join (
        select unnest($rows::bigint[]) as _row, unnest($created::bigint[]) as created, unnest($raws::varchar[]) as raw
    ) as given using (_row)
    where parsed.id in (select result_id from runs_of_newer)
"""
# Its text lists the run all the same. Without a digest it is read again, and gets its run back when the newer result is gone.
_LEAVE = """
    update parsed set _digest = null, runs = (
        select coalesce(list(run), []) from (select unnest(parsed.runs) as run)
        where run.id not in (select run_id from runs_of_newer where result_id = parsed.id)
    ) where id in (select result_id from runs_of_newer)
"""


def set_aside(con: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    """Move results with such runs from `parsed` to `contested`. `rows`: those of `parsed`, by `_row`."""
    if _found(con, _AT_FIRST):
        values = {
            "rows": [*range(len(rows))],
            "created": [row.created for row in rows],
            "raws": [row.raw for row in rows],
        }
        con.execute(_SET_ASIDE, values)
        con.execute("delete from parsed where id in (select result_id from runs_of_newer)")


def leave(con: duckdb.DuckDBPyConnection) -> None:
    """Take the runs that belong to newer results out of those in `parsed`."""
    if _found(con, _IN_THE_END):
        con.execute(_LEAVE)


def batches(con: duckdb.DuckDBPyConnection) -> Iterator[list[Row]]:
    """What was set aside."""
    rows = database.beside(con).execute("select id, created, raw from contested order by id")
    while batch := rows.fetchmany(SETTLED_AT_A_TIME):
        yield [Row(*row) for row in batch]


def _found(con: duckdb.DuckDBPyConnection, owned: str) -> bool:
    con.execute(_RUNS_OF_NEWER.format(owned=owned))
    return bool(con.execute("select 1 from runs_of_newer limit 1").fetchall())
