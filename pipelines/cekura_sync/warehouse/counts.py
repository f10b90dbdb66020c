"""Stores with each result how its runs came out, so that no view has to count the runs of all results."""

from typing import TYPE_CHECKING

from cekura_sync.models import runner
from cekura_sync.tables import COUNTED, SCHEMA

if TYPE_CHECKING:
    import duckdb

# Another text of the views may count them otherwise; and `build` is to repair whatever is wrong.
FORGET = f"update {SCHEMA}.results set _runs_listed = null where _runs_listed is not null"
_LEFT = f"select count(*) from {SCHEMA}.results where deleted_at is null and _runs_listed is null"


def query() -> str:
    """That of sql/stored/: the counts of some live results that have none."""
    (model,) = runner.read_models(runner.models_dir() / "stored")
    return model.query


def store(con: "duckdb.DuckDBPyConnection") -> None:
    """Until every live result has its counts."""
    values = ", ".join(f"{column} = counted.{column}" for column in COUNTED)
    update = f"update {SCHEMA}.results as results set {values} from ({query()}) as counted where results.id = counted.result_id"
    before, left = None, _left(con)
    while left and left != before:
        con.execute(update)
        before, left = left, _left(con)


def _left(con: "duckdb.DuckDBPyConnection") -> int:
    return int(con.execute(_LEFT).fetchall()[0][0])
