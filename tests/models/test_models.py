"""The runner of the SQL models: order, transaction, comments, checks."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from cekura_sync.errors import ModelError
from cekura_sync.models import checks, runner
from support.base import Base


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own in the place of sql/."""
    (tmp_path / "checks").mkdir()
    monkeypatch.setattr(runner, "models_dir", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        yield con


def write(folder: Path, **files: str) -> None:
    for name, sql in files.items():
        (folder / f"{name}.sql").write_text(sql)


def test_a_column_that_the_api_adds_under_a_name_of_ours_changes_nothing() -> None:
    base = Base()
    for column in ("passed", "runs", "whole", "result_id", "status_group", "success", "created_on"):
        base.con.execute(f"alter table cekura.results add column {column} varchar")
    for column in ("passed", "run_id", "agent_id", "listed", "agent", "created_at"):
        base.con.execute(f"alter table cekura.runs add column {column} varchar")
    runner.build(base.con)
    base.result(1, runs=[True, False])

    assert base.rows("select passed_runs, decided_runs from analytics.results") == [(1, 2)]
    assert base.rows("select passed from analytics.runs order by run_id") == [(True,), (False,)]
    assert checks.check(base.con) == []


def test_views_are_built_after_those_that_they_select_from(
    folder: Path, con: duckdb.DuckDBPyConnection
) -> None:
    write(
        folder,
        a="select n from analytics.b",
        b="select n\nfrom analytics.c -- not from analytics.a\nwhere 'analytics.a' <> ''",
        c="select 1 as n",
    )

    assert runner.build(con) == ["c", "b", "a"]
    assert con.sql("select n from analytics.a").fetchall() == [(1,)]


def test_models_that_select_from_each_other_are_refused_by_name(
    folder: Path, con: duckdb.DuckDBPyConnection
) -> None:
    write(folder, a="select n from analytics.b", b="select n from analytics.a")

    with pytest.raises(ModelError, match=r"circle: (a\.sql -> b\.sql -> a\.sql|b\.sql -> a\.sql -> b\.sql)"):
        runner.build(con)


def test_a_model_that_does_not_bind_is_named(folder: Path, con: duckdb.DuckDBPyConnection) -> None:
    write(folder, a="select 2 as n", b="select nothing from analytics.a")

    with pytest.raises(ModelError, match=r'b\.sql cannot be run: Binder Error: .*"nothing" not found'):
        runner.build(con)


def test_a_view_without_a_file_is_dropped_and_a_table_is_left_alone(
    folder: Path, con: duckdb.DuckDBPyConnection
) -> None:
    write(folder, a="select 1 as n", old="select 1 as n")
    runner.build(con)
    con.execute("create table analytics.mine as select 1 as n")
    (folder / "old.sql").unlink()

    runner.build(con)

    names = (
        "select table_name from duckdb_tables() union select view_name from duckdb_views() where not internal"
    )
    assert sorted(con.sql(names).fetchall()) == [("a",), ("mine",)]


def test_comments_come_from_the_file_each_time_that_it_is_built(
    folder: Path, con: duckdb.DuckDBPyConnection
) -> None:
    columns = "select column_name, comment from duckdb_columns() where table_name = 'a'"
    write(
        folder,
        a="-- One row.\n-- Anna's.\nwith b as (\n    select 1 as n -- a step\n)\n\nselect n -- it's n\nfrom b",
    )

    for _ in range(2):
        runner.build(con)
        assert con.sql("select comment from duckdb_views() where view_name = 'a'").fetchall() == [
            ("One row. Anna's.",)
        ]
        assert con.sql(columns).fetchall() == [("n", "it's n")]


def test_a_check_that_returns_rows_is_a_finding(folder: Path, con: duckdb.DuckDBPyConnection) -> None:
    write(
        folder / "checks",
        holds="-- Is 1 below 1?\nselect 1 as n where 1 < 1",
        small="-- Is every number\n-- small?\nselect n, 'x' as name from (values (8), (9)) as t (n) order by n\n",
    )

    assert checks.check(con) == [checks.Finding("small", "Is every number small?", 2, "n 8, name x")]


def test_a_check_that_cannot_be_asked_is_an_error_not_a_pass(
    folder: Path, con: duckdb.DuckDBPyConnection
) -> None:
    write(folder / "checks", asks="-- Is it there?\nselect nothing from nowhere")

    with pytest.raises(ModelError, match=r"asks\.sql cannot be run: Catalog Error: .*nowhere"):
        checks.check(con)


@pytest.mark.parametrize(
    "asked", ["select 1 as n from analytics.broken", "select * from read_csv('/gone/x.csv')"]
)
def test_what_fails_on_the_disk_is_not_the_fault_of_the_sql(
    folder: Path, con: duckdb.DuckDBPyConnection, asked: str, tmp_path: Path
) -> None:
    """As a full disk or a damaged one: DuckDB's own error goes on, and ends in exit code 9."""
    there = tmp_path / "there.csv"
    con.execute(f"create schema analytics; create table here as select 1 as n; copy here to '{there}'")
    con.execute(f"create view analytics.broken as select * from read_csv('{there}')")
    there.unlink()
    write(folder / "checks", asks=f"-- Is it there?\n{asked}")

    with pytest.raises(duckdb.IOException):
        checks.check(con)


def test_a_wheel_uses_the_sql_that_it_brings_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "cekura_sync"
    (package / "sql").mkdir(parents=True)
    write(package / "sql", results="select 1 as n")
    monkeypatch.setattr(runner, "__file__", str(package / "models" / "runner.py"))

    assert runner.models_dir() == package / "sql"


def test_missing_sql_is_an_error_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "__file__", str(tmp_path / "a" / "b" / "c" / "runner.py"))

    with pytest.raises(ModelError, match="The SQL models are missing"):
        runner.models_dir()


def test_importing_the_runner_brings_neither_duckdb_nor_dlt() -> None:
    code = "import sys, cekura_sync.models.runner; sys.exit(bool({'duckdb', 'dlt'} & sys.modules.keys()))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
