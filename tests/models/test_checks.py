"""Each check finds what it is for, and none is set off by data that the API may send."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cekura_sync import database
from cekura_sync.database import quoted
from cekura_sync.models import checks, runner
from cekura_sync.tables import COUNTED
from cekura_sync.warehouse import counts
from support.base import Base
from support.harness import LONG
from support.rare import rare

# How to break what a check guards: the check, a view to be replaced (or none), and the SQL that breaks it.
BREAKS = [
    ("every_live_result_is_there_once", "results", "select * from {view} where result_id <> 1"),
    ("every_live_result_is_there_once", "results", "select * from {view} union all select * from {view}"),
    (
        "every_live_result_is_there_once",
        "results",
        "select * replace (result_id + 9 as result_id) from {view}",
    ),
    ("every_run_is_there_once", "runs", "select * from {view} union all select * from {view}"),
    ("every_run_is_there_once", "runs", "select * replace (null as run_id) from {view}"),
    ("children_have_parents", None, "insert into cekura.runs (id, result_id) values (9, 999)"),
    ("children_have_parents", None, "insert into cekura.result_scenarios (result_id) values (999)"),
    ("children_have_parents", None, "insert into cekura.details_read (result_id) values (999)"),
    ("details_were_read", None, "delete from cekura.details_read"),
    ("details_were_read", None, "insert into cekura.failed_reasons (result_id) values (2)"),
    ("details_were_read", None, "insert into cekura.transcript_turns (result_id) values (1)"),
    ("every_detail_is_there_once", None, "insert into cekura.details_read (result_id) values (1)"),
    ("every_detail_is_there_once", None, "insert into cekura.run_details from cekura.run_details"),
    ("every_detail_is_there_once", None, "insert into cekura.run_metrics from cekura.run_metrics"),
    ("every_detail_is_there_once", None, "delete from cekura.run_details"),
    ("every_detail_is_there_once", "run_details", "select * from {view} union all select * from {view}"),
    ("metric_totals_agree", "metrics", "select * replace (runs + 1 as runs) from {view}"),
    ("metric_totals_agree", "metric_scores", "select * replace (0 as decided_runs) from {view}"),
    ("metric_totals_agree", "failing_metrics", "select * from {view} where false"),
    (
        "rates_are_between_0_and_1",
        "failing_metrics",
        "select * replace (-1.0 as failing_share_low) from {view}",
    ),
    (
        "rates_are_between_0_and_1",
        "personality_pass_rate",
        "select * replace (3.0 as pass_rate_high) from {view}",
    ),
    ("each_agent_has_one_row", "agent_pass_rate", "select * from {view} where agent_id is not null"),
    ("each_agent_has_one_row", "agent_last_week", "select * from {view} where false"),
    ("each_agent_has_one_row", "agents", "select * from {view} union all select * from {view}"),
    ("rates_are_between_0_and_1", "results", "select * replace (-0.1 as success_rate) from {view}"),
    ("rates_are_between_0_and_1", "agent_pass_rate", "select * replace (75.0 as pass_rate) from {view}"),
    (
        "rates_are_between_0_and_1",
        "agent_pass_rate",
        "select * replace (1.1 as strict_pass_rate) from {view}",
    ),
    *(
        ("rates_are_between_0_and_1", view, f"select * replace (2.0 as {column}) from {{view}}")
        for view in ("agent_daily", "agent_weekly")
        for column in ("pass_rate_low", "pass_rate_high", "pass_rate_moving")
    ),
    ("rates_are_between_0_and_1", "agent_segments", "select * replace (-1.0 as pass_rate_low) from {view}"),
    (
        "rates_are_between_0_and_1",
        "scenario_pass_rate",
        "select * replace (3.0 as pass_rate_high) from {view}",
    ),
    ("rates_are_between_0_and_1", "result_trend", "select * replace (3.0 as pass_rate) from {view}"),
    (
        "rates_are_between_0_and_1",
        "infrastructure_failures_daily",
        "select * replace (3.0 as share) from {view}",
    ),
    (
        "passed_runs_never_exceed_decided_runs",
        "results",
        "select * replace (decided_runs + 1 as passed_runs) from {view}",
    ),
    ("passed_runs_never_exceed_decided_runs", "results", "select * replace (-1 as passed_runs) from {view}"),
    (
        "passed_runs_never_exceed_decided_runs",
        "results",
        "select * replace (null as passed_runs) from {view}",
    ),
    ("unfinished_results_are_in_no_rate", "results", "select * replace (runs as decided_runs) from {view}"),
    ("totals_agree", "agent_pass_rate", "select * from {view} where agent_id is not null"),
    ("totals_agree", "agent_run_counts", "select * replace (passed_runs + 1 as passed_runs) from {view}"),
    ("totals_agree", "agent_segments", "select * from {view} where false"),
    ("totals_agree", "agent_daily", "select * replace (decided_runs + 1 as decided_runs) from {view}"),
    ("totals_agree", "agent_weekly", "select * replace (0 as completed_results) from {view}"),
    ("rates_are_between_0_and_1", "scenario_flakiness", "select * replace (1.5 as flip_rate) from {view}"),
    ("rates_are_between_0_and_1", "agent_last_week", "select * replace (1.5 as pass_rate) from {view}"),
    (
        "rates_are_between_0_and_1",
        "agent_version_pass_rate",
        "select * replace (1.5 as pass_rate) from {view}",
    ),
    (
        "rates_are_between_0_and_1",
        "agent_change_effect",
        "select * replace (1.5 as after_pass_rate) from {view}",
    ),
    *(
        ("keys_are_unique", view, "select * from {view} union all select * from {view}")
        for view in (
            "agent_segments",
            "agent_last_week",
            "agent_daily",
            "agent_weekly",
            "scenario_pass_rate",
            "scenario_flakiness",
            "agent_version_pass_rate",
            "agent_change_effect",
            "infrastructure_failures_daily",
            "result_trend",
            "stuck_results",
            "data_quality",
        )
    ),
    *(
        ("differences_lie_in_their_intervals", view, f"select * replace ({broken}) from {{view}}")
        for view in (
            "result_trend",
            "agent_last_week",
            "agent_version_pass_rate",
            "agent_change_effect",
            "metric_regressions",
        )
        for broken in (
            "0.9 as adjusted_low, 0.5 as adjusted_difference",
            "0.5 as adjusted_difference, -2.0 as adjusted_low",
        )
    ),
    (
        "contributions_add_up",
        "agent_last_week",
        "select * replace (0.5 as adjusted_difference) from {view}",
    ),
    (
        "contributions_add_up",
        "agent_change_effect",
        "select * replace (0.5 as adjusted_difference) from {view}",
    ),
    *(
        ("stored_counts_are_right", None, f"update cekura.results set {column} = {column} + 1 where id = 1")
        for column in COUNTED
    ),
    ("sync_status_is_one_row", "sync_status", "select * from {view} where false"),
    ("sync_status_is_one_row", "sync_status", "select * from {view} union all select * from {view}"),
]


@pytest.fixture
def own_base(base: Base, monkeypatch: pytest.MonkeyPatch) -> Iterator[Base]:
    """Some sound rows; whatever a test breaks is undone."""
    # In a transaction, unlike in a sync, what runs out of memory cannot be tried again with more.
    monkeypatch.setattr(database, "STEPS", ("500MB",))
    base.con.begin()
    base.sync("2024-03-05 12:00:00+00")
    base.change("2024-03-04 12:00:00+00")
    base.result(1, runs=[True, False, True], agent_version="v1")
    base.result(2, passed=1, of=4, agent=2)
    base.result(3, of=4, status="running", agent=2)
    base.result(4, of=4, status="failed", agent=None)
    base.result(5, passed=2, of=2, agent=None)
    base.metric(100, 1, True)
    base.metric(101, 1, False)
    counts.store(base.con)
    yield base
    base.con.rollback()


def in_every_run() -> Iterator[Any]:
    """Of each check, two; the long run breaks every view."""
    taken: Counter[str] = Counter()
    for check, view, sql in BREAKS:
        taken[check] += 1
        yield pytest.param(check, view, sql, marks=[pytest.mark.long] if taken[check] > 2 else [])


@pytest.mark.parametrize(("check", "view", "sql"), [*in_every_run()])
def test_a_check_finds_what_it_is_for(own_base: Base, check: str, view: str | None, sql: str) -> None:
    if view:
        own_base.con.execute(f"create table broken as {sql.format(view=f'analytics.{view}')}")
        own_base.con.execute(f"create or replace view analytics.{view} as select * from broken")
    else:
        own_base.con.execute(sql)

    # That check alone: what is broken here may be more than another check can calculate with.
    (question,) = (
        model for model in runner.read_models(runner.models_dir() / "checks") if model.name == check
    )
    assert own_base.con.execute(question.query).fetchall()


def test_no_check_is_without_such_a_test() -> None:
    checks = {model.name for model in runner.read_models(runner.models_dir() / "checks")}

    assert checks == {check for check, _, _ in BREAKS}


@pytest.mark.parametrize("just_built", [False, True], ids=["views as they stand", "views from sql/"])
def test_no_check_fails_on_sound_data(own_base: Base, just_built: bool) -> None:
    assert checks.check(own_base.con, just_built=just_built) == []


@pytest.mark.parametrize("just_built", [False, True], ids=["views as they stand", "views from sql/"])
def test_no_check_fails_on_an_empty_warehouse(base: Base, just_built: bool) -> None:
    assert checks.check(base.con, just_built=just_built) == []


def test_the_copies_that_a_sync_checks_are_the_rows_of_the_views(own_base: Base) -> None:
    own_base.suites(100, days=30, passed=3, of=4, first_day="2024-02-01")
    checks.check(own_base.con, just_built=True)

    copied = [name for (name,) in own_base.rows("select table_name from duckdb_tables() where temporary")]
    assert {"results", "agent_pass_rate", "agent_last_week", "agent_last_week_results"} <= {*copied}
    for name in copied:
        shown, copy = (
            own_base.rows(f"from {schema}.{quoted(name)} order by all") for schema in ("analytics", "temp")
        )
        assert len(copy) == len(shown), name
        # What a double's last digits are depends on the order in which it was added up.
        for copied_row, row in zip(copy, shown, strict=True):
            assert copied_row == tuple(
                pytest.approx(value) if isinstance(value, float) else value for value in row
            ), name


def test_a_sync_finds_wrong_rows_in_the_copies(own_base: Base) -> None:
    own_base.con.execute("insert into cekura.runs (id, result_id) values (100, 1)")

    found = checks.check(own_base.con, just_built=True)

    assert "every_run_is_there_once" in {finding.check for finding in found}


@pytest.mark.parametrize("scale", [*rare(1), 100])
def test_no_check_fails_on_whatever_the_api_may_send(base: Base, scale: int) -> None:
    runs: tuple[list[bool | None] | None, ...] = ([True, False], [True, None], [], None)
    totals = (2, 0, -1, None)
    rates = (0.0, 0.5, 1.0, -1.0, 250.0, float("nan"), float("inf"), None)
    statuses = ("completed", "running", "failed", "timeout", "cancelled", "paused", None)
    dates = ("2024-03-04 12:00:00+00", "9998-12-31 00:00:00+00", "0001-01-01 00:00:00+00", None)
    cases = itertools.product(statuses, runs, totals, rates)
    # Every third: still all combinations of runs, total and rate.
    for result_id, (status, summaries, total, rate) in enumerate(
        itertools.islice(cases, None, None, 1 if LONG else 3)
    ):
        base.result(
            result_id,
            runs=summaries,
            total_runs_count=total,
            status=status,
            success_rate=rate and rate * scale,
            agent=(1, 2, None)[result_id % 3],
            agent_name=("Anna", None)[result_id % 2],
            run_as_text=(True, False, None)[result_id % 3],
            met_expected_outcome_count=(0, 1, 3, -1, None)[result_id % 5],
            total_expected_outcome_count=(0, 1, 2, None)[result_id % 4],
            created_at=dates[result_id % 4],
        )
        if result_id % 3 == 0:
            odd = {"metric_id": (901, None)[result_id % 2], "name": ("Tone", None)[result_id // 2 % 2]}
            base.metric(
                result_id * 100, result_id, (True, False, None)[result_id % 5 % 3], score=-1e15, **odd
            )
    base.con.execute("update cekura.run_details set duration_seconds = null where result_id % 2 = 0")

    assert checks.check(base.con) == []
