"""`views`: what there is to ask, found without reading the documents."""

import json
from collections.abc import Iterator

import duckdb
import pytest

from cekura_sync.models import runner
from cekura_sync.sandbox import Sandbox, World
from support.harness import Account
from support.rare import rare


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Sandbox(World(results=20, runs_per_result=1)) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("views") / "warehouse.duckdb")
        assert account.sync().code == 0
        yield account


def test_every_view_is_listed_with_one_line(synced: Account) -> None:
    ran = synced.run("views")

    models = runner.read_models(runner.models_dir())
    assert ran.code == 0, ran.err
    lines = [line.split(maxsplit=1) for line in ran.out.splitlines()[3:]]
    assert lines == [[model.name, model.meaning.partition(". ")[0].rstrip(".")] for model in models]


def test_the_list_as_json_has_the_whole_meaning(synced: Account) -> None:
    models = runner.read_models(runner.models_dir())

    assert json.loads(synced.run("views", "--json").out) == [
        {"view": model.name, "meaning": model.meaning} for model in models
    ]


@pytest.mark.parametrize("name", ["stuck_results", "analytics.stuck_results", "STUCK_RESULTS"])
def test_a_view_has_its_columns_with_types_and_meanings(synced: Account, name: str) -> None:
    ran = synced.run("views", name)

    assert ran.code == 0, ran.err
    assert ran.out.startswith(
        "stuck_results: One row per result that had been in flight for more than an hour"
    )
    assert any(line.split(maxsplit=2)[:2] == ["result_id", "BIGINT"] for line in ran.out.splitlines())


def test_every_column_of_every_view_has_a_meaning(synced: Account) -> None:
    for model in runner.read_models(runner.models_dir()):
        told = json.loads(synced.run("views", "--json", model.name).out)
        columns = [name for name, *_ in synced.query(f"describe analytics.{model.name}")]
        theirs = [name for name in columns if not name.startswith("_")]
        assert [column["name"] for column in told["columns"]] == theirs
        assert all(column["meaning"] and column["type"] for column in told["columns"]), model.name


def test_a_table_is_found_where_no_view_has_its_name(synced: Account) -> None:
    assert synced.run("views", "cekura.runs").out.startswith("cekura.runs\n")
    assert synced.run("views", "sync_log").out.startswith("cekura.sync_log\n")
    assert synced.run("views", "runs").out.startswith("runs: ")


def test_a_name_that_is_not_there_exits_2_and_offers_those_that_are(synced: Account) -> None:
    ran = synced.run("views", "nope")

    assert (ran.code, "choose among agent_change_effect, " in ran.err) == (2, True), ran.err


def test_nothing_decided_divides_to_null_and_not_to_nan(synced: Account) -> None:
    ran = synced.run(
        "query",
        "--json",
        "select sum(passed_runs) / sum(decided_runs) as a, 0 / 0 as b, 0.0 / 0 as c, 1e0 / 0 as d from results where status_group = 'in_flight'",
    )

    assert ran.json == [{"a": None, "b": None, "c": None, "d": None}]


def test_the_file_itself_shows_where_the_views_are(synced: Account) -> None:
    tables = synced.query("select schema, name from (show all tables)")

    assert ("analytics", "agent_pass_rate") in tables


def test_models_prints_a_script_that_an_engine_without_our_command_can_run(synced: Account) -> None:
    printed = synced.run("models", "--dialect", "duckdb", "--schema", "elsewhere")
    in_a_session = synced.run("models", "--dialect", "duckdb", "--session", "--tables", "raw")

    with duckdb.connect() as con:
        con.execute(f"attach '{synced.warehouse}' as warehouse (read_only); create schema cekura")
        for (name,) in con.execute(
            "select table_name from duckdb_tables() where schema_name = 'cekura' and database_name = 'warehouse'"
        ).fetchall():
            con.execute(f"create view cekura.{name} as from warehouse.cekura.{name}")
            con.execute(f"create view raw_{name} as from warehouse.cekura.{name}")
        con.execute(printed.out)
        con.execute(in_a_session.out)
        expected = synced.query("select * from analytics.agent_pass_rate order by all")
        assert con.execute("from elsewhere.agent_pass_rate order by all").fetchall() == expected
        assert con.execute("from analytics_agent_pass_rate order by all").fetchall() == expected


@pytest.mark.long
@pytest.mark.parametrize("name", ["Größe's", '"a.b""c"', *rare("order", "memory.2026-x")])
def test_a_schema_whose_name_needs_quotes_has_them_everywhere(synced: Account, name: str) -> None:
    exact = name if name.startswith('"') else ".".join(f'"{part}"' for part in name.split("."))
    views = synced.run("models", "--dialect", "duckdb", "--schema", name)
    in_a_session = synced.run("models", "--dialect", "duckdb", "--schema", name, "--session")

    with duckdb.connect() as con:
        con.execute(f"attach '{synced.warehouse}' as warehouse (read_only); create schema cekura")
        for (table,) in synced.query("select table_name from duckdb_tables() where schema_name = 'cekura'"):
            con.execute(f"create view cekura.{table} as from warehouse.cekura.{table}")
            con.execute(f"create view cekura_{table} as from warehouse.cekura.{table}")
        for ran in (views, in_a_session):
            con.execute(ran.out)
        assert con.execute(f"from {exact}.agent_pass_rate").fetchall()
        found = con.execute(
            "select count(*) from duckdb_views() where view_name like '%agent_pass_rate' and database_name <> 'warehouse'"
        ).fetchall()

    assert found == [(2,)]


@pytest.mark.long
def test_the_quotes_of_a_schemas_name_are_those_of_the_dialect(synced: Account) -> None:
    for dialect, quotes in (
        ("spark", "``"),
        ("bigquery", "``"),
        ("databricks", "``"),
        ("snowflake", '""'),
        ("trino", '""'),
    ):
        out = synced.run("models", "--dialect", dialect, "--schema", "eu-1.order", "--tables", "ta ble").out

        named = f"{quotes[0]}eu-1{quotes[1]}.{quotes[0]}order{quotes[1]}"
        assert f"create schema if not exists {named};" in out
        assert f"create or replace view {named}.runs" in out
        assert f"{quotes[0]}ta ble{quotes[1]}.runs" in out.lower()


@pytest.mark.parametrize(
    "name", ["", " ", ".", "a.", "a..b", "a.b.c", 'a"b', '"a', "a`b", "a\\b", "a\nb", " a"]
)
def test_what_is_the_name_of_no_schema_exits_2_and_prints_nothing(synced: Account, name: str) -> None:
    for option in ("--schema", "--tables"):
        for more in ([], ["--session"]):
            ran = synced.run("models", "--dialect", "spark", option, name, *more)

            assert (ran.code, ran.out) == (2, ""), ran
            assert f"{option} {name!r} is not the name of a schema" in ran.err
    assert synced.run("models", "--dialect", "postgres", "--schema", "db.analytics").code == 2


def test_models_refuses_a_session_where_an_engine_has_no_temporary_views(synced: Account) -> None:
    ran = synced.run("models", "--dialect", "snowflake", "--session")

    assert ran.code == 2
    assert "snowflake has none" in ran.err
    assert synced.run("models", "--dialect", "redshift").out.splitlines()[2:4] == [
        "-- redshift cannot express the view agent_daily: it is left out.",
        "-- redshift cannot express the view agent_weekly: it is left out.",
    ]
