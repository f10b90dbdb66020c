"""One account, served in every form in which the API's servers and documents have it, gives one set of numbers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.sandbox import Sandbox, World
from cekura_sync.tables import COUNTED
from support.harness import LONG, Account, connect
from support.planted import plant_a_new_failure

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FORMS: dict[str, dict[str, Any]] = {
    "old": {},
    "old, percent": {"scale": "percent"},
    "old, strings and dicts": {"shape": "literal"},
    "old, strings and dicts, percent": {"shape": "literal", "scale": "percent"},
    "new": {"generation": "new"},
    "new, percent": {"generation": "new", "scale": "percent", "deprecated": ("v1",)},
    "new, strings and dicts, percent": {"generation": "new", "shape": "literal", "scale": "percent"},
    "new, no summaries": {"generation": "new", "summaries": False},
    "new, no summaries, percent": {"generation": "new", "summaries": False, "scale": "percent"},
    "new, no summaries, strings": {"generation": "new", "summaries": False, "shape": "literal"},
}
# Asked for with options of their own; the others are what version v1 of the API answers.
OPTIONS = {"new, percent": ("--api-version", "v2")}
# Each of these differs in one thing from two forms that every run takes.
RARE = (
    "old, percent",
    "old, strings and dicts",
    "new",
    "new, strings and dicts, percent",
    "new, no summaries, percent",
    "new, no summaries, strings",
)
# Without summaries an older server tells nobody which runs it has lost.
OF_NOTHING_LOST = {
    "old, no summaries, percent": {"summaries": False, "scale": "percent"},
    "old, no summaries, strings": {"summaries": False, "shape": "literal"},
    "new, no summaries": {"generation": "new", "summaries": False},
}
# What agents did, which no server hides.
AGENTS = (
    "agents",
    "agent_changes",
    "agent_change_results",
    "agent_daily",
    "agent_last_week_results",
    "agent_pass_rate",
    "agent_run_counts",
    "agent_segments",
    "agent_weekly",
    "infrastructure_failures_daily",
    "live_results",
    "results",
    "stuck_results",
)
# These look at scenarios, which only the summaries tell.
SCENARIOS = (
    "agent_change_effect_scenarios",
    "agent_change_point",
    "agent_last_week_scenarios",
    "new_failures",
    "runs",
    "scenario_flakiness",
    "scenario_pass_rate",
)
# And these compare within scenarios; what they compare is known without.
COMPARISONS = ("agent_change_effect", "agent_last_week", "agent_version_pass_rate", "result_trend")
WITHIN_SCENARIOS = {
    "adjusted_difference",
    "adjusted_high",
    "adjusted_low",
    "covered_share",
    "mix_effect",
    "no_verdict_because",
    "p_value",
    "possible",
    "shared_scenarios",
    "smallest_visible_difference",
    "verdict",
}
DETAILS = ("call_duration_daily", "personality_pass_rate", "run_details")
# Servers that judge metrics alike: a newer one has rubrics, and the documents count scores in another way.
METRICS = (
    "failing_metrics",
    "metric_percentiles",
    "metric_regressions",
    "metric_scores",
    "metrics",
    "run_metrics",
)
JUDGED_ALIKE = {
    "old, percent": "old",
    "old, strings and dicts": "old, strings and dicts, percent",
    "new": "new, percent",
    "new, no summaries": "new, percent",
    "new, no summaries, percent": "new, percent",
    "new, no summaries, strings": "new, strings and dicts, percent",
}
ABOUT_THE_SYNC = ("data_quality", "sync_status")
# What the forms do not have in common: words, when we read, and how a figure was come by.
WORDS = {
    *COUNTED,
    "agent_version",
    "agent_version_id",
    "counted_failures",
    "counted_passes",
    "error_message",
    "passes_from",
    "previous_version",
    "rate_evidence",
    "rate_whole",
    "reported_rate",
    "runs_known",
    "synced_at",
}
Numbers = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def world() -> World:
    """Three agents over twenty days; one scenario of the first passes always, and fails always in the last week."""
    world = World(results=60, agents=3, runs_per_result=6, days=20, seed=3, now=NOW, in_flight=3, versions=2)
    plant_a_new_failure(world, NOW)
    return world


def numbers(
    world: World, folder: Path, form: dict[str, Any], *options: str, views: Iterable[str] = ()
) -> Numbers:
    """Every row of every view, or of these, for which no details are read; without the words."""
    folder.mkdir(exist_ok=True)
    changes = folder / "changes.csv"
    changes.write_text(f"agent_id,at,note\n,{NOW - timedelta(days=8):%Y-%m-%d},New voice\n")
    with Sandbox(world, **form) as sandbox:
        account = Account(sandbox, folder / "warehouse.duckdb")
        ran = account.sync("--changes", str(changes), *([] if views else ["--details"]), *options)
        assert ran.code == 0, ran.err
    with connect(account.warehouse) as con:
        every = con.execute("select view_name from duckdb_views() where schema_name = 'analytics'").fetchall()
        return {view: rows(con, view) for view in (views or [view for (view,) in every])}


def rows(con: Any, view: str) -> list[dict[str, Any]]:
    answer = con.execute(f"from analytics.{view}")
    columns = [column[0] for column in answer.description]
    # The API rounds percentages.
    found = [
        {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in zip(columns, row, strict=True)
            if name not in WORDS
        }
        for row in answer.fetchall()
    ]
    return sorted(found, key=repr)


def without(columns: set[str], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in columns} for row in found]


class Served(dict[str, Numbers]):
    """The numbers of each form, from when they are first asked for."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__()
        self._world, self._folder = world, folder

    def __missing__(self, name: str) -> Numbers:
        folder = self._folder / name.replace(", ", "_")
        self[name] = numbers(self._world, folder, FORMS[name], *OPTIONS.get(name, ()))
        return self[name]


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(world, tmp_path_factory.mktemp("forms"))


def but_the_rare(names: Iterable[str]) -> list[Any]:
    """As parameters: the rare forms in the long run only."""
    return [pytest.param(name, marks=[pytest.mark.long] if name in RARE else []) for name in names]


def test_the_account_of_the_forms_has_something_to_tell_in_every_view(served: Served) -> None:
    told = served["old"]

    assert set(told) == {*AGENTS, *SCENARIOS, *COMPARISONS, *DETAILS, *METRICS, *ABOUT_THE_SYNC}
    assert [view for view in told if not told[view]] == ["data_quality"]
    assert sum(row["lost_runs"] for row in told["agent_pass_rate"]) > 0


@pytest.mark.parametrize("form", but_the_rare(name for name in FORMS if name != "old"))
def test_the_same_account_served_in_ten_forms_gives_one_set_of_numbers_in_every_view(
    served: Served, form: str
) -> None:
    found, expected = served[form], served["old"]

    assert found["data_quality"] == []
    for view in AGENTS + DETAILS:
        assert found[view] == expected[view], view
    if FORMS[form].get("summaries", True):
        for view in SCENARIOS + COMPARISONS:
            assert found[view] == expected[view], view
    for view in COMPARISONS:
        assert without(WITHIN_SCENARIOS, found[view]) == without(WITHIN_SCENARIOS, expected[view]), view


@pytest.mark.parametrize("form", but_the_rare(JUDGED_ALIKE))
def test_servers_that_judge_metrics_alike_give_one_set_of_numbers_about_them(
    served: Served, form: str
) -> None:
    for view in METRICS:
        assert served[form][view] == served[JUDGED_ALIKE[form]][view], view


def test_without_summaries_a_comparison_says_why_it_has_no_verdict(served: Served) -> None:
    for view in COMPARISONS:
        for row in served["new, no summaries"][view]:
            assert (row["verdict"], bool(row["no_verdict_because"])) == (None, True), view


def test_without_summaries_an_older_server_gives_the_same_numbers_where_nothing_was_lost(
    tmp_path: Path,
) -> None:
    world = World(results=40, agents=2, runs_per_result=5, days=20, seed=5, now=NOW, in_flight=0)
    for id_, row in [*world.results.items()]:
        if row["status"] == "completed":
            runs = [run for run in row["runs"] if run["status"] == "completed"]
            world.touchless_edit(id_, runs=runs)
    expected = numbers(world, tmp_path / "with summaries", {}, views=AGENTS)
    for name, form in [*OF_NOTHING_LOST.items()][: None if LONG else 1]:
        found = numbers(world, tmp_path / name, form, views=AGENTS)

        for view in AGENTS:
            assert found[view] == expected[view], (name, view)


@pytest.mark.long  # every run compares v2's "new, percent" with forms of v1
def test_both_versions_of_the_api_give_the_same_numbers(world: World, served: Served, tmp_path: Path) -> None:
    found = numbers(world, tmp_path, FORMS["new, percent"], "--api-version", "v1")

    for view in set(found) - set(ABOUT_THE_SYNC):
        assert found[view] == served["new, percent"][view], view
