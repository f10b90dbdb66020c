"""What holds for every view: the columns that are promised, their types and their comments."""

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from cekura_sync.models import runner
from support.base import Base

# The contract's table, to the letter.
PROMISED = {
    "results": "lost_runs passes_from agent_version project_id result_id agent_id agent_name channel direction trigger status status_group success_rate runs"
    " decided_runs passed_runs created_at updated_at",
    "runs": "outcome agent_name channel trigger agent_version project_id created_at run_id result_id agent_id scenario_id scenario_name passed created_at",
    "agent_pass_rate": "lost_runs run_loss_rate agent_id agent_name completed_results decided_runs passed_runs pass_rate pass_rate_low"
    " pass_rate_high strict_pass_rate expected_outcome_rate infrastructure_failure_rate first_result_at"
    " last_result_at",
    "agent_run_counts": "agent_id agent_name results runs completed_runs passed_runs in_flight_results"
    " infrastructure_failed_results cancelled_results voice_results text_results scheduled_results"
    " manual_results last_result_at",
    "agent_daily": "agent_id agent_name day completed_results decided_runs passed_runs pass_rate"
    " infrastructure_failed_results pass_rate_moving pass_rate_low pass_rate_high",
    "agent_weekly": "agent_id agent_name week completed_results decided_runs passed_runs pass_rate"
    " infrastructure_failed_results pass_rate_moving pass_rate_low pass_rate_high",
    "agent_segments": "agent_id channel direction trigger completed_results decided_runs passed_runs pass_rate",
    "scenario_pass_rate": "agent_id agent_name scenario_id scenario_name runs passed_runs pass_rate"
    " pass_rate_low pass_rate_high last_failed_at",
    "scenario_flakiness": "agent_id scenario_id flips flip_rate verdict",
    "result_trend": "result_id difference mix_effect adjusted_difference adjusted_low adjusted_high shared_scenarios covered_share p_value"
    " smallest_visible_difference verdict possible no_verdict_because",
    "infrastructure_failures_daily": "agent_id day failed timeout cancelled share",
    "agent_change_effect": "agent_id agent_name changed_at note before_decided_runs before_passed_runs before_pass_rate"
    " after_decided_runs after_passed_runs after_pass_rate difference mix_effect adjusted_difference adjusted_low adjusted_high shared_scenarios covered_share p_value"
    " smallest_visible_difference verdict possible no_verdict_because",
    "agent_version_pass_rate": "agent_id agent_version decided_runs passed_runs pass_rate previous_version"
    " difference mix_effect adjusted_difference adjusted_low adjusted_high shared_scenarios covered_share p_value"
    " smallest_visible_difference verdict possible no_verdict_because",
    "agent_last_week": "agent_id decided_runs pass_rate difference mix_effect adjusted_difference adjusted_low adjusted_high shared_scenarios covered_share p_value"
    " smallest_visible_difference verdict possible no_verdict_because",
    "agent_last_week_scenarios": "agent_id scenario_id scenario_name decided_runs passed_runs pass_rate"
    " previous_decided_runs previous_passed_runs previous_pass_rate contribution",
    "agent_change_effect_scenarios": "agent_id changed_at scenario_id scenario_name before_decided_runs before_passed_runs"
    " before_pass_rate after_decided_runs after_passed_runs after_pass_rate contribution",
    "new_failures": "agent_id agent_name scenario_id scenario_name basis verdict previous_decided_runs previous_passed_runs"
    " previous_pass_rate decided_runs passed_runs pass_rate run_id result_id created_at",
    "agent_change_point": "agent_id agent_name changed_on step verdict trend trend_verdict",
    "stuck_results": "result_id in_flight_since",
    "run_details": "run_id result_id agent_id scenario_id personality_name passed error_message duration_seconds",
    "run_metrics": "run_id result_id agent_id metric_id metric_name metric_type score passed explanation",
    "metrics": "agent_id metric_id metric_name metric_type runs",
    "metric_scores": "agent_id agent_name metric_id metric_name day runs mean_score decided_runs passed_runs pass_rate",
    "metric_percentiles": "agent_id agent_name metric_id metric_name agent_version agent_version_id week scored_runs p50 p95 p99",
    "metric_regressions": "agent_id metric_id difference mix_effect adjusted_difference adjusted_low adjusted_high shared_scenarios covered_share p_value"
    " smallest_visible_difference verdict possible no_verdict_because score_difference"
    " score_difference_low score_difference_high score_verdict",
    "failing_metrics": "agent_id agent_name metric_id metric_name decided_runs failed_runs failing_share"
    " last_failed_at last_explanation",
    "call_duration_daily": "agent_id agent_name day calls p50_seconds p90_seconds p95_seconds",
    "personality_pass_rate": "agent_id agent_name personality_name decided_runs passed_runs pass_rate pass_rate_low"
    " pass_rate_high",
    "data_quality": "finding severity rows example",
    "sync_status": "last_sync_at last_full_sync_at watermark live_results in_flight_results",
}


@pytest.mark.parametrize("view", PROMISED)
def test_a_view_has_the_columns_that_are_promised(base: Base, view: str) -> None:
    columns = set(base.con.sql(f"select * from analytics.{view}").columns)

    assert set(PROMISED[view].split()) <= columns


def test_every_view_says_its_grain_and_meaning(base: Base) -> None:
    comments = dict(
        base.rows("select view_name, comment from duckdb_views() where schema_name = 'analytics'")
    )

    assert comments.keys() >= PROMISED.keys()
    assert [view for view, comment in comments.items() if not (comment or "").startswith("One row")] == []


def test_every_column_says_what_it_is(base: Base) -> None:
    uncommented = "select table_name, column_name from duckdb_columns() where schema_name = 'analytics'"

    assert base.rows(f"{uncommented} and comment is null") == []


def test_counts_are_integers_and_rates_are_doubles_that_every_driver_reads(base: Base) -> None:
    types = "select distinct data_type from duckdb_columns() where schema_name = 'analytics' order by all"

    assert [name for (name,) in base.rows(types)] == [
        "BIGINT",
        "BOOLEAN",
        "DATE",
        "DOUBLE",
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
    ]


@pytest.mark.parametrize(
    ("view", "counts"),
    [
        ("agent_pass_rate", "decided_runs, passed_runs"),
        ("agent_run_counts", "decided_runs, passed_runs"),
        ("agent_daily", "decided_runs, passed_runs"),
        ("agent_weekly", "decided_runs, passed_runs"),
        ("agent_segments", "decided_runs, passed_runs"),
        ("agent_last_week", "decided_runs, passed_runs"),
        ("scenario_pass_rate", "decided_runs, passed_runs"),
        ("scenario_flakiness", "decided_runs, flips"),
        ("infrastructure_failures_daily", "completed + 1, completed"),
    ],
)
def test_results_without_an_agent_are_counted_under_null(base: Base, view: str, counts: str) -> None:
    base.result(1, runs=[True, False], agent=None, agent_name=None)
    base.con.execute("update cekura.runs set scenario = null, scenario_name = null")

    assert base.rows(f"select agent_id, {counts} from analytics.{view}") == [(None, 2, 1)]


def test_the_statistics_explain_every_word_of_a_verdict() -> None:
    document = Path(__file__).parents[2].joinpath("docs", "statistics.md").read_text(encoding="utf-8")
    table = document.partition("## Every word of a verdict")[2].partition("\n## ")[0]
    explained = set(
        re.findall(r"`([a-z ]+)`", "".join(re.findall(r"^\|[^|]*\|([^|]*)\|", table, re.MULTILINE)))
    )
    sql = runner.models_dir()
    texts = [
        path.read_text(encoding="utf-8") for path in [*sql.glob("*.sql"), sql / "functions" / "compared.sql"]
    ]
    verdicts = [
        alias.this
        for text in texts
        for alias in sqlglot.parse_one(text, dialect="duckdb").find_all(exp.Alias)
        if alias.alias.endswith("verdict") and isinstance(alias.this, exp.Case)
    ]
    words = {
        result.this
        for case in verdicts
        for result in (*(branch.args["true"] for branch in case.args["ifs"]), case.args.get("default"))
        if isinstance(result, exp.Literal)
    }

    assert len(words) > 15
    assert explained == words
