"""`cekura_source` compares with what its destination holds: tables of DuckDB, Delta and Iceberg hold what the API lists."""

import logging
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dlt
import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from cekura_sync import cekura_source
from cekura_sync.sandbox import Sandbox, World
from support.destinations import Filled

KINDS = ("duckdb", "delta", pytest.param("iceberg", marks=pytest.mark.long))
New = Callable[..., Filled]


BEGAN = datetime.now(UTC)


def seventy() -> World:
    return World(results=70, agents=3, runs_per_result=2, days=40, in_flight=3, now=BEGAN)


@pytest.fixture
def new(tmp_path: Path) -> Iterator[New]:
    with Sandbox(seventy()) as sandbox:
        yield lambda kind: Filled(kind, tmp_path, sandbox)


@pytest.fixture(scope="module")
def after_one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one-run")
    with Sandbox(seventy()) as sandbox:
        Filled("duckdb", folder, sandbox).run()
    return folder


@pytest.fixture
def filled(new: New, after_one_run: Path, tmp_path: Path) -> Filled:
    """A DuckDB file of theirs after its first run, which is made once for all."""
    shutil.copytree(after_one_run, tmp_path, dirs_exist_ok=True)
    return new("duckdb")


def change(world: World) -> tuple[list[int], int]:
    """Something of everything; returns what was deleted, and how many other results have changed or come."""
    ids = sorted(world.results, reverse=True)
    changed = {*ids[5:9], *world.insert(2), *world.finish()}
    world.edit(ids[5], name="renamed")
    world.touchless_edit(ids[6], success_rate=0.0)
    world.drop_runs(ids[7])
    world.drop_runs(ids[8], keep=1)
    deleted = [ids[12], ids[50]]
    for id_ in deleted:
        world.delete(id_)
    return deleted, len(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_run_loads_what_changed_and_nothing_else(new: New, kind: str) -> None:
    filled = new(kind)
    filled.run()
    filled.assert_equals_api()

    deleted, changed = change(filled.sandbox.world)
    loaded = filled.run(full=True)

    filled.assert_equals_api()
    assert loaded["results"] == changed + len(deleted)
    marked = filled.rows("results", "id", "deleted_at is not null")
    assert sorted(marked) == sorted((id_,) for id_ in deleted)
    log = filled.rows("sync_log", "inserted, deleted, results, generation")
    assert sorted(log, key=lambda row: row[-1])[-1] == (2, 2, len(filled.sandbox.world.results), 2)

    filled.sandbox.reset_requests()
    assert filled.run(state="lost", full_every="0") == {}
    assert len(filled.sandbox.requests) == 1, "the destination tells that this is no first run"


def test_what_was_unfinished_is_read_by_id_long_after_it_has_left_the_lookback(new: New) -> None:
    filled = new("duckdb")
    world = filled.sandbox.world
    late, gone = (world.insert_late(1, age=timedelta(days=20), status="running")[0] for _ in range(2))
    filled.run()

    world.finish([late])
    world.delete(gone)
    filled.run()

    filled.assert_equals_api()


@pytest.mark.parametrize(("kind", "table"), [("duckdb", "runs"), ("delta", "results")])
def test_what_a_load_that_never_ended_has_written_counts_as_unknown(new: New, kind: str, table: str) -> None:
    """It may have written a result without its runs, or runs without their result."""
    filled = new(kind)
    filled.run()
    snapshot = filled.folder / "snapshot"
    store = filled.folder / ("theirs.duckdb" if kind == "duckdb" else "lake")
    (shutil.copy if kind == "duckdb" else shutil.copytree)(store, snapshot)
    world = filled.sandbox.world
    old = sorted(world.results)[0]
    original = dict(world.results[old])
    world.rerun(old)
    filled.run(full=True)
    _undo_all_but(filled, snapshot, table)
    shutil.rmtree(filled.folder / "state")
    if table == "runs":  # or the next run would see that the result is another one
        world.touchless_edit(old, **original)

    filled.run()
    filled.assert_equals_api()
    assert filled.run() == {}


def _undo_all_but(filled: Filled, snapshot: Path, table: str) -> None:
    """As if the last load had been killed when only this table was written."""
    others = ({"results", "runs", "result_scenarios", "sync_log"} - {table}) | {
        "_dlt_loads",
        "_dlt_pipeline_state",
    }
    if filled.kind == "duckdb":
        with duckdb.connect(str(filled.folder / "theirs.duckdb")) as con:
            con.execute(f"attach '{snapshot}' as before (read_only)")
            for other in others:
                con.execute(f"delete from raw.{other}")
                con.execute(f"insert into raw.{other} by name from before.raw.{other}")
    else:
        for other in others:
            shutil.rmtree(filled.folder / "lake/raw" / other)
            shutil.copytree(snapshot / "raw" / other, filled.folder / "lake/raw" / other)


def test_results_that_a_load_has_left_without_a_row_take_their_runs_along(filled: Filled) -> None:
    with duckdb.connect(str(filled.folder / "theirs.duckdb")) as con:
        con.execute(
            "insert into raw.runs by name select 5 as id, 4 as result_id, 'never ended' as _dlt_load_id, false as _removed"
        )

    filled.run()

    filled.assert_equals_api()
    assert filled.rows("runs", "*", "id = 5") == []


def test_a_mass_deletion_is_refused_and_then_accepted(filled: Filled) -> None:
    for id_ in sorted(filled.sandbox.world.results)[:40]:
        filled.sandbox.world.delete(id_)

    with pytest.raises(PipelineStepFailed, match="are gone from the API"):
        filled.run(full=True)
    filled.run(state="lost", full=True, allow_mass_delete=True)
    filled.assert_equals_api()


def test_another_filter_is_judged_by_what_it_covers(filled: Filled) -> None:
    world = filled.sandbox.world
    agent = world.agents[0].id
    mine = [id_ for id_, row in world.results.items() if row["agent"] == agent]
    world.delete(mine[0])
    other = next(id_ for id_, row in world.results.items() if row["agent"] != agent)
    world.delete(other)

    filled.run(agent_id=agent)

    assert filled.rows("results", "id", "deleted_at is not null") == [(mine[0],)]


def test_tables_that_are_replaced_are_filled_anew(filled: Filled) -> None:
    world = filled.sandbox.world
    world.delete(sorted(world.results)[3])

    source = {"write_disposition": "replace"}
    filled.pipeline().run(cekura_source(filled.sandbox.key, filled.sandbox.url), **source)

    filled.assert_equals_api()


def test_where_nothing_can_be_read_back_it_says_so_and_hands_on_everything(
    new: New, caplog: pytest.LogCaptureFixture
) -> None:
    filled = new("duckdb")
    lake = dlt.destinations.filesystem(str(filled.folder / "files"))
    pipeline = dlt.pipeline(
        "files", destination=lake, dataset_name="raw", pipelines_dir=str(filled.folder / "state")
    )
    caplog.set_level(logging.WARNING, logger="dlt")
    logging.getLogger("dlt").addHandler(caplog.handler)
    for _ in range(2):
        pipeline.run(cekura_source(filled.sandbox.key, filled.sandbox.url, full=True))

    assert pipeline.last_trace.last_normalize_info.row_counts["results"] >= 67  # all that is finished
    assert "This destination cannot be read back" in caplog.text
