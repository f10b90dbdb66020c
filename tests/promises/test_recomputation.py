"""Every number of every view, recomputed in plain Python from what the API lists, over an account that has it all."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from cekura_sync.sandbox import Sandbox, World
from cekura_sync.tables import COUNTED
from support.harness import Account, connect
from support.living import live
from support.rare import rare
from support.recomputed import comparisons, details, views
from support.recomputed.change_point import agent_change_point
from support.recomputed.facts import facts
from support.recomputed.new_failures import new_failures
from support.recomputed.views import Row, Warehouse
from support.sandbox_reader import read

# Each view's key; with `agent_id` NULL is a key too.
VIEWS: dict[str, tuple[Callable[[Warehouse], Iterable[Row]], str]] = {
    "live_results": (views.live_results, "result_id"),
    "results": (views.results, "result_id"),
    "runs": (views.runs, "run_id"),
    "agents": (views.agents, "agent_id"),
    "agent_pass_rate": (views.agent_pass_rate, "agent_id"),
    "agent_run_counts": (views.agent_run_counts, "agent_id"),
    "agent_daily": (views.agent_daily, "agent_id day"),
    "agent_weekly": (views.agent_weekly, "agent_id week"),
    "agent_segments": (views.agent_segments, "agent_id channel direction trigger"),
    "agent_last_week": (comparisons.agent_last_week, "agent_id"),
    "agent_last_week_results": (comparisons.agent_last_week_results, "result_id"),
    "agent_last_week_scenarios": (comparisons.agent_last_week_scenarios, "agent_id scenario_key"),
    "new_failures": (new_failures, "agent_id scenario_key basis"),
    "agent_change_point": (agent_change_point, "agent_id"),
    "agent_changes": (comparisons.agent_changes, "step"),
    "agent_change_results": (comparisons.agent_change_results, "step result_id"),
    "agent_change_effect": (comparisons.agent_change_effect, "agent_id line"),
    "agent_change_effect_scenarios": (
        comparisons.agent_change_effect_scenarios,
        "agent_id changed_at scenario_key",
    ),
    "agent_version_pass_rate": (comparisons.agent_version_pass_rate, "agent_id agent_version_id"),
    "infrastructure_failures_daily": (views.infrastructure_failures_daily, "agent_id day"),
    "scenario_pass_rate": (details.scenario_pass_rate, "agent_id scenario_key"),
    "scenario_flakiness": (details.scenario_flakiness, "agent_id scenario_key"),
    "result_trend": (comparisons.result_trend, "result_id"),
    "stuck_results": (details.stuck_results, "result_id"),
    "data_quality": (details.data_quality, "finding"),
}
# What the API does not know: when this warehouse wrote a row, what it stored with it, and words about the view itself.
OWN = {"synced_at", "example", "meaning", *COUNTED}


@pytest.fixture(scope="module", params=["fraction", *rare("percent")])
def synced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Account, Warehouse]]:
    folder = tmp_path_factory.mktemp("recomputation")
    world = World(results=160, agents=4, runs_per_result=4, days=60, seed=11, in_flight=6, versions=3)
    with Sandbox(world, scale=request.param) as sandbox:
        account = Account(sandbox, folder / "warehouse.duckdb")
        assert account.sync().code == 0
        before = read(sandbox)
        noted = live(world, folder / "changes.csv")
        ran = account.sync("--full", "--changes", str(folder / "changes.csv"))
        assert ran.code == 0, ran.err
        (last_sync,) = account.query("select max(finished_at) from cekura.sync_log")[0]
        listed = facts((row for row in read(sandbox) if row["runs"] != "none of them"), before)
        yield account, Warehouse(listed, noted, last_sync, ran.json["rejected"])


def shown(account: Account, view: str) -> list[Row]:
    with connect(account.warehouse) as con:
        rows = con.execute(f"select * from analytics.{view}")
        names = [column[0] for column in rows.description or []]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


@pytest.mark.parametrize("view", VIEWS)
def test_every_number_of_a_view_is_what_plain_python_makes_of_the_api(
    synced: tuple[Account, Warehouse], view: str
) -> None:
    account, warehouse = synced
    recompute, key = VIEWS[view]

    def by_key(rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
        listed = list(rows)
        found = {tuple(row[name] for name in key.split()): row for row in listed}
        assert len(found) == len(listed), "two rows of one key"
        return found

    stored, expected = by_key(shown(account, view)), by_key(recompute(warehouse))

    assert stored.keys() == expected.keys()
    assert expected, "nothing was compared"
    for row_key, row in expected.items():
        assert stored[row_key].keys() - OWN == row.keys() - OWN
        for column, value in row.items():
            if isinstance(value, float):
                value = pytest.approx(value, rel=1e-9, abs=1e-12)
            assert stored[row_key][column] == value, (row_key, column)


# Recomputed in test_details_numbers.py; the last three are what the others are made of.
OF_RUN_DETAILS = {
    "call_duration_daily",
    "failing_metrics",
    "metric_percentiles",
    "metric_regressions",
    "metric_scores",
    "personality_pass_rate",
    "metrics",
    "run_details",
    "run_metrics",
}


def test_the_recomputation_covers_every_view(synced: tuple[Account, Warehouse]) -> None:
    account, _ = synced
    present = account.query("select view_name from duckdb_views() where schema_name = 'analytics'")

    assert {name for (name,) in present} == VIEWS.keys() | {"sync_status"} | OF_RUN_DETAILS


def test_the_state_of_the_warehouse_is_what_its_log_and_the_api_say(
    synced: tuple[Account, Warehouse],
) -> None:
    account, warehouse = synced
    log = account.query(
        "select finished_at, mode, scope, watermark from cekura.sync_log order by finished_at"
    )
    watermark = max(datetime.fromisoformat(r.updated_at) for r in warehouse.results)
    moments = [finished.replace(microsecond=0) for finished, *_ in log]
    pauses = [later - earlier for earlier, later in pairwise(moments)]

    assert shown(account, "sync_status") == [
        {
            "last_sync_at": log[-1][0],
            "last_sync_mode": "full",
            "scope": "{}",
            "last_full_sync_at": log[-1][0],
            "watermark": watermark,
            "live_results": len(warehouse.results),
            "in_flight_results": sum(r.group == "in_flight" for r in warehouse.results),
            "overdue_at": log[-1][0] + max(pauses) + timedelta(minutes=90),
        }
    ]


def test_the_account_has_every_kind_of_row(synced: tuple[Account, Warehouse]) -> None:
    """Or the comparison above would prove less than it says."""
    account, warehouse = synced
    groups = {result.group for result in warehouse.results}

    assert groups == {"in_flight", "completed", "infrastructure_failure", "cancelled"}
    assert {(r.channel, r.trigger) for r in warehouse.results} >= {
        (channel, trigger) for channel in ("voice", "text") for trigger in ("scheduled", "manual")
    }
    assert account.query("select count(*) > 3 from cekura.results where deleted_at is not null") == [(True,)]
    assert {row["finding"] for row in details.data_quality(warehouse)} >= {
        "success_rate_out_of_range",
        "success_rate_disagrees_with_runs",
        "counts_contradict",
        "passes_unknown",
        "completed_without_runs",
        "passes_from_success_rate",
        "unknown_status",
        "agent_missing",
        "rejected_rows",
        "created_at_in_the_future",
    }
    assert {row["verdict"] for row in details.scenario_flakiness(warehouse)} >= {"flaky", "reliable"}
    assert {(row["basis"], row["verdict"]) for row in new_failures(warehouse)} == {
        (basis, verdict) for basis in ("last result", "last week") for verdict in ("newly failing", "fixed")
    }
    gaps = [row for row in views.agent_daily(warehouse) if not row["completed_results"]]
    assert len(gaps) > 100
