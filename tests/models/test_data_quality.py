from typing import Any

import pytest

from support.base import Base

FINDINGS = "select finding, severity, rows, example from analytics.data_quality order by finding"


def test_sound_data_has_no_finding(base: Base) -> None:
    base.result(1, runs=[True, False], success_rate=0.5, completed_runs_count=2, failed_runs_count=0)
    base.result(2, runs=[True], status="running", success_rate=None, total_runs_count=3)
    base.result(3, of=None, status="failed")
    base.result(5, runs=[True], status="running", _runs_known=False)
    base.result(4, runs=[False], success_rate=0, met_expected_outcome_count=1, total_expected_outcome_count=1)

    assert base.rows(FINDINGS) == []


@pytest.mark.parametrize(
    ("finding", "severity", "columns"),
    [
        ("success_rate_out_of_range", "error", {"of": 2, "success_rate": -1}),
        ("success_rate_out_of_range", "error", {"runs": [True], "success_rate": 101}),
        ("success_rate_disagrees_with_runs", "error", {"runs": [True, True, False], "success_rate": 0.3333}),
        ("counts_contradict", "warning", {"total_runs_count": -1}),
        ("counts_contradict", "warning", {"total_runs_count": 1, "completed_runs_count": 2}),
        ("counts_contradict", "warning", {"total_runs_count": 1, "failed_runs_count": 2}),
        (
            "counts_contradict",
            "warning",
            {"met_expected_outcome_count": 3, "total_expected_outcome_count": 2},
        ),
        ("counts_contradict", "warning", {"met_expected_outcome_count": -1}),
        ("passes_unknown", "warning", {"of": None, "success_rate": 0.5}),
        ("passes_unknown", "warning", {"of": 5, "success_rate": None}),
        ("completed_without_runs", "warning", {"of": 0, "success_rate": 0}),
        ("passes_from_success_rate", "info", {"of": 5, "success_rate": 0.6}),
        ("passes_from_success_rate", "info", {"runs": [None, None], "success_rate": 0.5}),
        ("runs_from_earlier_reading", "warning", {"runs": [True], "success_rate": 1, "_runs_known": False}),
        ("runs_from_earlier_reading", "warning", {"runs": [None], "status": "failed", "_runs_known": None}),
        ("unknown_status", "warning", {"status": "paused"}),
        ("unknown_status", "warning", {"status": None}),
        ("agent_missing", "warning", {"agent": None}),
        ("created_at_missing", "warning", {"created_at": None}),
        (
            "created_at_in_the_future",
            "warning",
            {"created_at": "9998-01-01 00:00:00+00", "synced_at": "2024-03-04 00:00:00+00"},
        ),
    ],
)
def test_what_looks_wrong_is_named_with_an_example(
    base: Base, finding: str, severity: str, columns: dict[str, Any]
) -> None:
    base.result(1, runs=[True, False], success_rate=0.5)
    base.result(2, **columns)

    assert (finding, severity, 1, "result 2") in base.rows(FINDINGS)


def test_a_fraction_among_percentages_is_a_mixed_scale(base: Base) -> None:
    base.result(1, runs=[True] * 4 + [False], success_rate=80)
    base.result(2, of=5, success_rate=60)
    base.result(3, of=5, success_rate=0.8)
    base.result(4, runs=[True] * 4 + [False], success_rate=0.8)

    assert ("mixed_success_rate_scale", "error", 2, "result 3") in base.rows(FINDINGS)


def test_a_percentage_among_fractions_is_a_mixed_scale(base: Base) -> None:
    for result_id in (1, 2, 3):
        base.result(result_id, runs=[True] * 4 + [False], success_rate=0.8)
    base.result(4, of=5, success_rate=80)

    assert ("mixed_success_rate_scale", "error", 1, "result 4") in base.rows(FINDINGS)


def test_a_small_percentage_that_the_runs_allow_is_no_mixed_scale(base: Base) -> None:
    base.result(1, of=5, success_rate=80)
    base.result(2, of=200, success_rate=0.5)
    base.result(3, of=5, success_rate=0)

    assert "mixed_success_rate_scale" not in [row[0] for row in base.rows(FINDINGS)]


def test_rejected_rows_are_counted_with_one_reason(base: Base) -> None:
    base.rejected("id is not a number")
    base.rejected("created_at is missing", result_id=5)

    assert base.rows(FINDINGS) == [("rejected_rows", "warning", 2, "id is not a number")]


def test_a_rejected_row_without_a_reason_is_counted_all_the_same(base: Base) -> None:
    base.con.execute("insert into cekura.rejected_rows (_digest, id) values ('a', 5)")

    assert base.rows(FINDINGS) == [("rejected_rows", "warning", 1, "result 5: no reason")]


def test_a_change_is_suspected_whose_agent_no_result_has(base: Base) -> None:
    base.result(1, runs=[True], success_rate=1)
    base.change("2024-03-01", agent=1)
    base.change("2024-03-01", agent=None)
    base.change("2024-03-01", agent=41)

    assert base.rows(FINDINGS) == [("change_of_unknown_agent", "warning", 1, "line 4: agent 41")]


def test_a_finding_says_in_a_sentence_what_the_figures_make_of_it(base: Base) -> None:
    base.result(1, of=5, success_rate=None)

    (meaning,) = base.row("select meaning from analytics.data_quality where finding = 'passes_unknown'")

    assert meaning.endswith("how many passed; no rate counts it")


def test_deleted_results_are_not_suspected(base: Base) -> None:
    base.result(1, agent=None, status=None, success_rate=-5, total_runs_count=-1)
    base.con.execute("update cekura.results set deleted_at = now()")

    assert base.rows(FINDINGS) == []
