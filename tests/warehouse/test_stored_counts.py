"""A sync stores with each result how its runs came out, so that views need not count the runs of all results."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cekura_sync.console.exits import ExitCode
from cekura_sync.warehouse import counts
from support.harness import Account, connect

COUNTED = """
    select id, _runs_listed, _runs_with_outcome, _runs_passed, _runs_decided
    from cekura.results where deleted_at is null order by id
"""
RUNS = """
    select results.id, count(runs.run_id), count(*) filter (outcome <> 'unknown'), count(*) filter (outcome = 'passed'),
        count(*) filter (outcome in ('passed', 'failed'))
    from cekura.results left join analytics.runs on runs.result_id = results.id
    where deleted_at is null group by results.id order by results.id
"""


@pytest.fixture
def synced(new_synced: Callable[..., Account]) -> Account:
    return new_synced(results=30, runs_per_result=3, days=20)


@contextmanager
def copied(account: Account, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(account.warehouse, copy)
    with duckdb.connect(str(copy)) as con:
        yield con


def results(con: duckdb.DuckDBPyConnection) -> list[Any]:
    return con.execute("from analytics.results order by result_id").fetchall()


def assert_counted(account: Account) -> None:
    with connect(account.warehouse) as con:
        assert con.execute(COUNTED).fetchall() == con.execute(RUNS).fetchall()


def test_what_a_quick_sync_writes_is_counted_and_so_is_the_result_that_a_run_has_left(
    synced: Account,
) -> None:
    assert_counted(synced)
    world, ids = synced.world, sorted(synced.world.results)
    moved = world.results[ids[0]]["runs"][0]
    world.edit(ids[-1], runs=[*world.results[ids[-1]]["runs"], moved])
    world.edit(
        ids[-2],
        runs=[run | {"status": "completed", "success": True} for run in world.results[ids[-2]]["runs"]],
    )
    world.insert(2)

    ran = synced.sync("--lookback", "0")

    assert ran.code == 0, ran.err
    assert synced.query(
        f"select _runs_listed from cekura.results where id in ({ids[0]}, {ids[-1]}) order by id"
    ) == [
        (len(world.results[ids[0]]["runs"]) - 1,),
        (len(world.results[ids[-1]]["runs"]),),
    ]
    assert_counted(synced)


def test_a_view_of_results_reads_no_run_where_they_are_counted(synced: Account, tmp_path: Path) -> None:
    with copied(synced, tmp_path) as con:
        before = results(con)
        con.execute("delete from cekura.runs")

        assert results(con) == before


def test_a_view_counts_the_runs_that_nobody_has_counted(synced: Account, tmp_path: Path) -> None:
    with copied(synced, tmp_path) as con:
        before = results(con)
        con.execute("update cekura.results set _runs_listed = null where id % 2 = 0")

        assert results(con) == before


def test_many_results_are_counted_some_at_a_time(
    synced: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_few = counts.query().replace("limit 100000", "limit 7")
    monkeypatch.setattr(counts, "query", lambda: a_few)
    with copied(synced, tmp_path) as con:
        before = con.execute(COUNTED).fetchall()
        con.execute(counts.FORGET)
        counts.store(con)

        assert len(before) > 14
        assert con.execute(COUNTED).fetchall() == before


def test_a_wrong_count_is_published_by_no_full_sync_and_a_build_counts_anew(synced: Account) -> None:
    with duckdb.connect(str(synced.home / "base.duckdb")) as con:
        con.execute("update cekura.results set _runs_with_outcome = _runs_with_outcome + 1")
    synced.world.insert(1)
    refused = synced.sync("--full")

    built = synced.run("build")

    assert (refused.code, built.code) == (ExitCode.UNBELIEVABLE, 0), built.err
    assert "stored_counts_are_right" in refused.json["error"]
    assert_counted(synced)
    assert synced.sync("--full").code == 0
