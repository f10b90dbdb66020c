"""`dashboards evidence`: a project whose sources answer on a warehouse, and whose pages ask for what these have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cekura_sync.dashboards import queries
from cekura_sync.models import runner
from support.base import Base
from support.harness import Ran, run

PAGES = ("index", "agents", "scenarios", "infrastructure")
BLOCK = re.compile(r"```sql (\w+)\n(.*?)```", re.DOTALL)
COMPONENT = re.compile(r"<([A-Z]\w+)\s([^<]*?)/?>")
DATA = re.compile(r"\bdata=\{(\w+)\}")
# What a component says of columns: x=week, y={["pass_rate", "95 % from"]}.
COLUMNS = re.compile(r"""\b(?:id|x|y|series|value|label)=(?:\{\[(.*?)\]\}|(\w+|"[^"]*"))""")


def write(folder: Path, warehouse: Path | str = "warehouse.duckdb", **env: str) -> Ran:
    return run("dashboards", "evidence", "--to", str(folder), "--warehouse", str(warehouse), env=env)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, published: Path) -> Path:
    folder = tmp_path_factory.mktemp("evidence") / "project"
    assert write(folder, published).code == 0
    return folder


@pytest.fixture(scope="module")
def site(project: Path, published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute(f"attach '{published}' as warehouse (read_only)")
        yield made(con, "warehouse", project)


def made(con: duckdb.DuckDBPyConnection, warehouse: str, project: Path) -> duckdb.DuckDBPyConnection:
    """With the tables that Evidence makes of the sources, by the names that pages have for them."""
    con.execute("attach ':memory:' as site")
    con.execute("create schema site.cekura")
    con.execute(f"use {warehouse}")
    for name, sql in sources(project).items():
        con.execute(f"create table site.cekura.{name} as {sql}")
    con.execute("use site")
    return con


def sources(project: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in (project / "sources" / "cekura").glob("*.sql")}


def asked(project: Path, page: str) -> dict[str, str]:
    """The queries of a page by name, with what Evidence puts into them: the first agent, and one query in another."""
    blocks: dict[str, str] = {}
    for name, sql in BLOCK.findall((project / "pages" / f"{page}.md").read_text()):
        sql = sql.replace("${inputs.agent.value}", "1")
        blocks[name] = re.sub(r"\$\{(\w+)\}", lambda other: f"({blocks[other[1]]})", sql)
    return blocks


def answers(
    site: duckdb.DuckDBPyConnection, project: Path, page: str
) -> Iterator[tuple[str, list[str], list[Any]]]:
    for name, sql in asked(project, page).items():
        answer = site.sql(sql)
        yield name, answer.columns, answer.fetchall()


def test_a_project_is_complete_finds_its_warehouse_and_holds_no_key(tmp_path: Path) -> None:
    folder, warehouse = tmp_path / "new" / "my: site", tmp_path / "not yet there #1.duckdb"

    ran = write(folder, warehouse, CEKURA_API_KEY="sk-very-secret")

    assert (ran.code, ran.out) == (0, "")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert files.keys() == {
        ".cekura-dashboards.json",
        ".gitignore",
        "evidence.plugins.yaml",
        "evidence.settings.json",
        "package.json",
        "pages/+layout.svelte",
        *(f"pages/{page}.md" for page in PAGES),
        "sources/cekura/connection.yaml",
        *(f"sources/cekura/{name}.sql" for name in queries.read()),
    }
    assert f"Wrote {len(files) - 1} files" in ran.err
    connection = yaml.safe_load(files["sources/cekura/connection.yaml"].read_text())
    found = folder / "sources" / "cekura" / connection["options"]["filename"]
    assert (connection["type"], found.resolve()) == ("duckdb", warehouse.resolve())
    assert "secret" not in "".join(path.read_text() for path in files.values())


def test_its_packages_have_exact_versions_and_nothing_is_reported_to_their_maker(project: Path) -> None:
    package = json.loads((project / "package.json").read_text())

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["dependencies"].values())
    assert {"sources", "build"} <= package["scripts"].keys()
    connectors = yaml.safe_load((project / "evidence.plugins.yaml").read_text())
    assert {*connectors["components"], *connectors["datasources"]} <= package["dependencies"].keys()
    settings = json.loads((project / "evidence.settings.json").read_text())
    assert settings == {"send_anonymous_usage_stats": "no"}


def test_every_source_has_the_rows_and_columns_of_its_query_and_times_as_texts(
    project: Path, con: duckdb.DuckDBPyConnection
) -> None:
    for name, query in queries.read().items():
        answer = con.sql(sources(project)[name])

        assert answer.columns == [column.name for column in query.columns]
        assert "TIMESTAMP" not in map(str, answer.types)
        assert len(answer.fetchall()) == len(con.sql(query.sql).fetchall()) > 0


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_columns_that_its_queries_have(
    project: Path, site: duckdb.DuckDBPyConnection, page: str
) -> None:
    shown = {name: columns for name, columns, rows in answers(site, project, page) if rows}
    data, named = "", {name: set[str]() for name in shown}

    assert shown.keys() == asked(project, page).keys()
    for component, said in COMPONENT.findall((project / "pages" / f"{page}.md").read_text()):
        if component != "Column":
            data = DATA.search(said)[1]  # type: ignore[index]
        for several, one in COLUMNS.findall(said):
            named[data] |= set(json.loads(f"[{several}]")) if several else {one.strip('"')}

    assert {name for name in named if not named[name] <= {*shown[name]}} == set()
    assert {name for name in named if not named[name]} == set()


def test_without_results_a_source_has_one_row_of_nulls_that_no_page_shows(project: Path) -> None:
    base = Base()
    runner.build(base.con)
    site = made(base.con, "memory", project)

    made_of = {
        name: site.sql(f"from cekura.{name}").fetchall() for name in queries.read() if name != "freshness"
    }
    shown = {name: rows for page in PAGES for name, _, rows in answers(site, project, page)}

    assert {(len(rows), *rows[0]) for rows in made_of.values()} <= {(1, *[None] * n) for n in range(20)}
    assert {name: len(rows) for name, rows in shown.items() if rows} == {"freshness": 1}
    assert shown["freshness"][0][:4] == ("never", "none", "not known yet", 0)


def test_a_name_is_no_code_where_it_is_shown_in_a_chart_or_chosen(
    project: Path, site: duckdb.DuckDBPyConnection
) -> None:
    site.execute("begin")
    site.execute(
        """insert into cekura.agents_over_time (agent, week, pass_rate) values ('<img src=x> & "co\\', current_date, 1)"""
    )

    rows = {name: rows for name, _, rows in answers(site, project, "agents")}
    site.execute("rollback")

    assert '&lt;img src=x> &amp; "co\\' in {agent for agent, *_ in rows["weeks"]}
    assert "<img src=x> & 'co/" in {agent for _, agent in rows["agents"]}
    assert len(rows["agents"]) == len({number for number, _ in rows["agents"]})
