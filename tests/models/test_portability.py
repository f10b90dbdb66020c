"""The models are plain SQL: other engines get them from sqlglot, and give the same rows."""

import re
from collections.abc import Iterator

import pytest
import sqlglot

from cekura_sync.models import dialects, runner
from cekura_sync.models.runner import Model
from cekura_sync.sandbox import Sandbox, World
from support.engines import ClickHouse, PostgreSql, clickhouse_engine, comparable
from support.harness import Account, connect
from support.living import live

FILES = runner.read_models(runner.models_dir())
# What only the program asks, of its own file and of PostgreSQL.
OWN_QUERIES = [
    query
    for folder in ("checks", "report", "functions", "gate", "notify", "stored")
    for query in runner.read_models(runner.models_dir() / folder)
]
# What an engine does not have, and a translation must not leave over.
LEFT_OVER = {
    "postgres": r"date_diff|datediff|strftime|\bepoch\(|::",
    "clickhouse": r"\* interval|timestamptz",
    "bigquery": r"filter ?\(|at time zone|::|\bdouble\b|timestamptz",
    "snowflake": r"filter ?\(|\* interval|::",
    "databricks": r"timestamptz|::",
    "redshift": r"filter ?\(|distinct from|date_diff\b|::",
    "trino": r"::|timestamptz",
}


# Spark's words are Databricks', and DuckDB's are our own.
@pytest.mark.parametrize(
    ("model", "engine"),
    [
        pytest.param(
            model,
            engine,
            marks=[pytest.mark.long] if model in OWN_QUERIES and engine != "postgres" else [],
            id=f"{model.name}-{engine}",
        )
        for model in (*FILES, *OWN_QUERIES)
        for engine in LEFT_OVER
    ],
)
def test_every_file_is_one_query_that_other_engines_understand(model: Model, engine: str) -> None:
    text = dialects.translated(model, engine)

    assert isinstance(sqlglot.parse_one(text, read=engine), sqlglot.exp.Query)
    assert re.search(LEFT_OVER[engine], text, re.IGNORECASE) is None
    if engine == "redshift":
        with_range = re.search(r"range between \d", text, re.IGNORECASE) is not None
        assert with_range == (model.name in dialects.LACKS[engine])


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A warehouse of an account to which everything has happened."""
    folder = tmp_path_factory.mktemp("portability")
    world = World(results=160, agents=4, runs_per_result=4, days=60, seed=11, in_flight=6, versions=3)
    with Sandbox(world) as sandbox:
        account = Account(sandbox, folder / "warehouse.duckdb")
        assert account.sync().code == 0
        live(world, folder / "changes.csv")
        ran = account.sync("--full", "--details", "--transcripts", "--changes", str(folder / "changes.csv"))
        assert ran.code == 0, ran.err
        yield account


@pytest.fixture(scope="module")
def postgres(lived: Account, server: str) -> Iterator[PostgreSql]:
    with PostgreSql(server) as engine:
        engine.take(lived.warehouse)
        engine.build(FILES)
        yield engine


@pytest.fixture(scope="module")
def clickhouse(lived: Account) -> Iterator[ClickHouse]:
    with clickhouse_engine() as engine:
        engine.take(lived.warehouse)
        engine.build(FILES)
        yield engine


# ClickHouse takes seconds for each of these; agent_last_week and its scenarios hold the comparison that they have in common.
SLOW = (
    "agent_change_effect",
    "agent_change_effect_scenarios",
    "agent_change_point",
    "agent_version_pass_rate",
    "metric_regressions",
    "result_trend",
)


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        pytest.param(
            model,
            engine,
            marks=[pytest.mark.long] if engine == "clickhouse" and model.name in SLOW else [],
            id=f"{model.name}-{engine}",
        )
        for model in FILES
        for engine in ("postgres", "clickhouse")
    ],
)
def test_a_view_gives_the_same_rows_there(
    request: pytest.FixtureRequest, lived: Account, model: Model, engine: str
) -> None:
    there = request.getfixturevalue(engine)
    with connect(lived.warehouse) as con:
        here = con.sql(f"select * from analytics.{model.name}")
        expected = comparable(here.fetchall())
        columns, types = here.columns, [str(kind) for kind in here.types]

    rows = there.rows(model.name, dict(zip(columns, types, strict=True)))

    assert expected, "nothing was compared"
    assert comparable(rows) == expected


@pytest.mark.parametrize(
    "model", runner.read_models(runner.models_dir() / "checks"), ids=lambda model: model.name
)
def test_a_check_holds_there_too(postgres: PostgreSql, model: Model) -> None:
    assert postgres.query(dialects.translated(model, "postgres")) == []
