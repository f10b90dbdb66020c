"""The same story in each destination: tables and views there say what the API says, and what a file says that has just been synced from it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

import support
from cekura_sync import cekura_views
from cekura_sync.errors import SettingsError, WarehouseError
from cekura_sync.models import runner, script
from cekura_sync.sandbox import Sandbox, World
from cekura_sync.tables import COUNTED
from support.destinations import Filled
from support.ducklake import DuckLake
from support.engines import PostgreSql, comparable
from support.harness import Account, connect, environment
from support.story import after_the_first_run, before_the_last_run

# When something was read is another moment for each reader.
READING = {
    "_in_flight_since",
    "synced_at",
    "last_sync_at",
    "last_sync_mode",
    "last_full_sync_at",
    "overdue_at",
    "first_seen_at",
}
READING |= {*COUNTED}  # only a file has them
MODELS = [model.name for model in script.models("duckdb")]
ALIKE = [
    name for name in MODELS if name != "stuck_results"
]  # since when a result runs again, only those know who looked then


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(
        World(results=90, agents=3, runs_per_result=3, days=60, seed=5, in_flight=3, versions=2)
    ) as server:
        yield server


@pytest.fixture(scope="module")
def filled(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, server: str) -> dict[str, Filled]:
    """Each destination after the same three runs; a worker may come back to these tests, so the name is new each time."""
    database = f"story_{uuid4().hex}"
    with PostgreSql(server) as admin:
        admin.execute(f"create database {database}")
    kinds = {"duckdb": None, "delta": None, "postgres": server.replace("/postgres", f"/{database}")}
    found = {
        kind: Filled(kind, tmp_path_factory.mktemp(kind), sandbox, credentials=credentials)
        for kind, credentials in kinds.items()
    }
    for happen in (None, after_the_first_run, before_the_last_run):
        if happen:
            happen(sandbox.world)
        for one in found.values():
            one.run(full=happen is before_the_last_run)
    return found


@pytest.fixture(scope="module")
def truth(sandbox: Sandbox, filled: dict[str, Filled], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has seen the API once, after all of it."""
    account = Account(sandbox, tmp_path_factory.mktemp("truth") / "warehouse.duckdb")
    ran = account.sync()
    assert ran.code == 0, ran.err
    return account.warehouse


def rows_of(con: duckdb.DuckDBPyConnection, view: str) -> list[tuple[Any, ...]]:
    """Comparable rows, without the columns that tell how they were read."""
    found = con.execute(f"select * from analytics.{view}")
    kept = [place for place, column in enumerate(found.description or []) if column[0] not in READING]
    return comparable([tuple(row[place] for place in kept) for row in found.fetchall()])


@pytest.fixture(scope="module")
def expected(truth: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every view there."""
    with connect(truth) as here:
        return {view: rows_of(here, view) for view in ALIKE}


@pytest.mark.parametrize("kind", ["duckdb", "delta", "postgres"])
def test_the_tables_hold_what_the_api_lists(filled: dict[str, Filled], kind: str) -> None:
    filled[kind].assert_equals_api()


@pytest.mark.parametrize("kind", ["duckdb", "delta", "postgres"])
def test_every_view_has_the_rows_of_a_file_that_has_just_been_synced(
    filled: dict[str, Filled], expected: dict[str, list[tuple[Any, ...]]], kind: str
) -> None:
    made = cekura_views(filled[kind].pipeline())
    assert sorted(made) == ([] if kind == "delta" else sorted(MODELS))

    with filled[kind].reader(views=True) as there:
        for view in ALIKE:
            assert rows_of(there, view) == expected[view], view
    assert cekura_views(filled[kind].pipeline()) == []


@pytest.mark.long
def test_every_view_has_the_same_rows_in_sail(
    sandbox: Sandbox,
    filled: dict[str, Filled],
    truth: Path,
    expected: dict[str, list[tuple[Any, ...]]],
    tmp_path: Path,
) -> None:
    """A distributed engine that speaks Spark's words, over the Delta tables."""
    python = environment("sail")
    cekura_views(filled["delta"].pipeline())
    printed = Account(sandbox, truth).run("models", "--dialect", "spark", "--session", "--tables", "raw")
    (tmp_path / "views.sql").write_text(printed.out)
    lake = filled["delta"].folder / "lake" / "raw"
    ran = subprocess.run(
        [python, Path(support.__file__).parent / "sail_reader.py", lake, tmp_path / "views.sql", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr

    with connect(truth) as here, duckdb.connect() as there:
        there.execute("set timezone = 'UTC'; create schema analytics")
        for view in ALIKE:
            found = here.sql(f"select * from analytics.{view}")
            typed = ", ".join(
                f'cast("{name}" as {kind}) as "{name}"'
                for name, kind in zip(found.columns, found.types, strict=True)
            )
            there.execute(f"create view analytics.{view} as select {typed} from '{tmp_path}/{view}.parquet'")
            assert rows_of(there, view) == expected[view], view


@pytest.mark.long
def test_ducklake_holds_what_the_api_lists_and_every_view_has_the_rows_of_a_file(tmp_path: Path) -> None:
    """In the environment of another DuckDB, so with a story of its own."""
    with Sandbox(World(results=60, agents=3, runs_per_result=3, days=60, in_flight=3, versions=2)) as sandbox:
        (tmp_path / "lake").mkdir()
        with DuckLake(tmp_path / "lake", sandbox) as lake:
            first = lake.run()
            after_the_first_run(sandbox.world)
            before_the_last_run(sandbox.world)
            last = lake.run(full=True)
            assert sorted(lake.make_views()) == sorted(MODELS)
        account = Account(sandbox, tmp_path / "warehouse.duckdb")
        assert account.sync().code == 0

    assert (first["results"], last["results"] < 40) == (60, True), "only what changed is loaded again"
    lake.assert_equals_api()
    with lake.reader() as there, connect(account.warehouse) as here:
        for view in ALIKE:
            assert rows_of(there, view) == rows_of(here, view), view


def test_views_that_somebody_has_dropped_are_made_again_with_their_comments(
    filled: dict[str, Filled],
) -> None:
    pipeline = filled["duckdb"].pipeline()
    cekura_views(pipeline)
    with pipeline.sql_client() as client:
        client.execute_sql("drop view analytics.agent_weekly")

    assert cekura_views(pipeline) == ["agent_weekly"]
    with filled["duckdb"].reader() as con:
        comment = "select comment from duckdb_views() where view_name = 'agent_weekly'"
        (model,) = (m for m in runner.read_models(runner.models_dir()) if m.name == "agent_weekly")
        assert con.execute(comment).fetchall() == [(model.meaning,)]


def test_views_of_old_words_are_replaced_also_where_a_column_has_gone(filled: dict[str, Filled]) -> None:
    pipeline = filled["postgres"].pipeline()
    cekura_views(pipeline)
    with pipeline.sql_client() as client:
        client.execute_sql("update raw._views set digest = 'old' where name = 'analytics.agent_daily'")
        client.execute_sql("drop view analytics.agent_weekly")
        client.execute_sql("drop view analytics.agent_daily")
        client.execute_sql("create view analytics.agent_daily as select 1 as gone")

    assert "agent_daily" in cekura_views(pipeline)
    with filled["postgres"].reader() as con:
        assert "pass_rate" in con.sql("select * from analytics.agent_daily").columns


def test_views_and_tables_of_others_under_our_names_stay(filled: dict[str, Filled]) -> None:
    pipeline = filled["duckdb"].pipeline()
    with pipeline.sql_client() as client:
        client.execute_sql("create schema somewhere")
        client.execute_sql("create table somewhere.agents as select 1 as x")
        client.execute_sql("create view somewhere.runs as select x + 1 as y from somewhere.agents")

    with pytest.raises(WarehouseError, match=r"somewhere holds somebody else's .*: agents, runs"):
        cekura_views(pipeline, schema="somewhere")

    with filled["duckdb"].reader() as con:
        assert con.execute("select y from somewhere.runs").fetchall() == [(2,)]
        left = "select table_name from information_schema.tables where table_schema = 'somewhere' order by 1"
        assert con.execute(left).fetchall() == [("agents",), ("runs",)]


def test_plain_files_have_neither_views_nor_tables_for_them(sandbox: Sandbox, tmp_path: Path) -> None:
    files = Filled("files", tmp_path, sandbox)
    files.run()

    with pytest.raises(SettingsError, match="table_format="):
        cekura_views(files.pipeline())
