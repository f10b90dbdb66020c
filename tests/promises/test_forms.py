"""One account, served in every form in which the API's servers and documents have it, gives one set of numbers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.sandbox import Sandbox, World
from support.harness import Account, connect

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FORMS: dict[str, dict[str, Any]] = {
    "old": {},
    "old, percent": {"scale": "percent"},
    "old, strings and dicts": {"shape": "literal"},
    "old, strings and dicts, percent": {"shape": "literal", "scale": "percent"},
    "new": {"generation": "new"},
    "new, percent": {"generation": "new", "scale": "percent"},
    "new, strings and dicts, percent": {"generation": "new", "shape": "literal", "scale": "percent"},
    "new, no summaries": {"generation": "new", "summaries": False},
    "new, no summaries, percent": {"generation": "new", "summaries": False, "scale": "percent"},
    "new, no summaries, strings": {"generation": "new", "summaries": False, "shape": "literal"},
}
# Without summaries an older server tells nobody which runs it has lost.
OF_NOTHING_LOST = {
    "old, no summaries": {"summaries": False},
    "old, no summaries, percent": {"summaries": False, "scale": "percent"},
    "old, no summaries, strings": {"summaries": False, "shape": "literal"},
    "new, no summaries": {"generation": "new", "summaries": False},
}
AGENTS = (
    "results",
    "agents",
    "agent_pass_rate",
    "agent_run_counts",
    "agent_daily",
    "agent_weekly",
    "agent_segments",
    "infrastructure_failures_daily",
)
# These look at scenarios, which only the summaries tell.
RUNS = ("runs", "scenario_pass_rate", "scenario_flakiness", "agent_last_week", "result_trend")
# What the forms do not have in common: words, and how a figure was come by.
WORDS = {
    "synced_at",
    "agent_version",
    "agent_version_id",
    "error_message",
    "passes_from",
    "rate_whole",
    "rate_evidence",
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(results=60, agents=3, runs_per_result=6, days=20, seed=3, now=NOW, in_flight=3, versions=2)


def numbers(world: World, folder: Path, form: dict[str, Any], views: tuple[str, ...]) -> dict[str, Any]:
    """Every row of these views, without the words."""
    with Sandbox(world, **form) as sandbox:
        account = Account(sandbox, folder / "warehouse.duckdb")
        ran = account.sync()
        assert ran.code == 0, ran.err
    with connect(account.warehouse) as con:
        return {view: rows(con, view) for view in views}


def rows(con: Any, view: str) -> list[tuple[Any, ...]]:
    columns = [name for name in con.sql(f"from analytics.{view}").columns if name not in WORDS]
    found = con.execute(f"select {', '.join(columns)} from analytics.{view} order by all").fetchall()
    # The API rounds percentages.
    return [tuple(round(value, 3) if isinstance(value, float) else value for value in row) for row in found]


@pytest.fixture(scope="module")
def expected(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = numbers(world, tmp_path_factory.mktemp("old"), FORMS["old"], AGENTS + RUNS)
    assert sum(row[-3] for row in found["agent_pass_rate"]) > 0, "nothing is lost: that would prove little"
    return found


@pytest.mark.parametrize("form", [name for name in FORMS if name != "old"])
def test_the_same_account_served_in_ten_forms_gives_one_set_of_numbers_in_every_view(
    world: World, expected: dict[str, Any], tmp_path: Path, form: str
) -> None:
    views = AGENTS + (RUNS if FORMS[form].get("summaries", True) else ())

    found = numbers(world, tmp_path, FORMS[form], views)

    for view in views:
        assert found[view] == expected[view], view


def test_without_summaries_an_older_server_gives_the_same_numbers_where_nothing_was_lost(
    tmp_path: Path,
) -> None:
    world = World(results=40, agents=2, runs_per_result=5, days=20, seed=5, now=NOW, in_flight=0)
    for id_, row in [*world.results.items()]:
        if row["status"] == "completed":
            runs = [run for run in row["runs"] if run["status"] == "completed"]
            world.touchless_edit(id_, runs=runs)
    expected = numbers(world, tmp_path, {}, AGENTS)
    for name, form in OF_NOTHING_LOST.items():
        folder = tmp_path / name
        folder.mkdir()

        found = numbers(world, folder, form, AGENTS)

        for view in AGENTS:
            assert found[view] == expected[view], (name, view)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_both_versions_of_the_api_give_the_same_numbers(
    world: World, expected: dict[str, Any], tmp_path: Path, version: str
) -> None:
    with Sandbox(world, generation="new", scale="percent", deprecated=("v1",)) as sandbox:
        account = Account(sandbox, tmp_path / "warehouse.duckdb")
        ran = account.sync("--api-version", version, "--details")
    assert ran.code == 0, ran.err
    with connect(account.warehouse) as con:
        for view in AGENTS + RUNS:
            assert rows(con, view) == expected[view], view
