"""Which scale the list has, by what was listed: a record by id is brought to it."""

import pytest

from cekura_sync.diff.base import Lookup, open_base
from cekura_sync.diff.differing import Known
from cekura_sync.diff.records import Keys
from cekura_sync.diff.shown import Shown


@pytest.mark.parametrize(
    ("rate", "passed", "runs", "in_percent"),
    [
        (0.5, 1, 2, False),
        (50.0, 1, 2, True),
        (1.0, 1, 100, True),
        (0.5, 0, 2, False),  # it contradicts its runs: half a percent of two runs is none
    ],
)
def test_the_scale_of_the_list_is_that_of_its_rows(
    rate: float, passed: int, runs: int, *, in_percent: bool
) -> None:
    with open_base(None) as con:
        for table, of in (("changed", "results"), ("changed_runs", "runs")):
            con.execute(f"create table {table} as from base.cekura.{of} limit 0")
        con.execute(
            "insert into changed by name select 1 as id, $1 as success_rate, $2 as total_runs_count",
            [rate, runs],
        )
        con.execute(
            "insert into changed_runs by name select n as id, 1 as result_id, n < $1 as success from range($2) as numbers (n)",
            [passed, runs],
        )

        shown = Shown(con, Keys(), Known(con), Lookup(con))

        assert shown.in_percent() is in_percent
