"""Stores with each result how its runs came out, so that no view has to count the runs of all results."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cekura_sync.models import runner
from cekura_sync.models.runner import Model
from cekura_sync.tables import COUNTED, SCHEMA

if TYPE_CHECKING:
    import duckdb

# Another text of the views may count them otherwise; and `build` is to repair whatever is wrong.
FORGET = f"update {SCHEMA}.results set _runs_listed = null where _runs_listed is not null"
LEFT = f"select count(*) from {SCHEMA}.results where deleted_at is null and _runs_listed is null"


def uncounted() -> Model:
    """The query of sql/stored/: the counts of some live results that have none."""
    (model,) = runner.read_models(runner.models_dir() / "stored")
    return model


def store(query: str, run: Callable[[str], object], value: Callable[[str], int]) -> None:
    """Store what this query finds, `uncounted` in an engine's words, until every live result has its counts.

    `run` executes a statement, `value` returns the one value of a query.
    """
    values = ", ".join(f"{column} = counted.{column}" for column in COUNTED)
    update = f"update {SCHEMA}.results as results set {values} from ({query}) as counted where results.id = counted.result_id"
    before, left = None, value(LEFT)
    while left and left != before:
        run(update)
        before, left = left, value(LEFT)


def store_in_file(con: "duckdb.DuckDBPyConnection") -> None:
    """The same in the database of `con`."""
    store(uncounted().query, con.execute, lambda query: int(con.execute(query).fetchall()[0][0]))
