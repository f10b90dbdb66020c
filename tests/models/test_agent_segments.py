import pytest

from support.base import Base
from support.published import WILSON


def test_each_combination_of_channel_direction_and_trigger_has_its_own_rate(base: Base) -> None:
    base.result(1, passed=1, of=4, run_as_text=False, agent_inbound=True, is_cronjob=True)
    base.result(2, passed=3, of=4, run_as_text=True, agent_inbound=True, is_cronjob=True)
    base.result(3, passed=2, of=2, run_as_text=True, agent_inbound=True, is_cronjob=False)
    base.result(4, passed=0, of=2, run_as_text=True, agent_inbound=True, is_cronjob=False)

    assert base.rows(
        """select channel, direction, trigger, completed_results, decided_runs, passed_runs, pass_rate
        from analytics.agent_segments order by pass_rate, channel desc, trigger"""
    ) == [
        ("voice", "inbound", "scheduled", 1, 4, 1, 0.25),
        ("text", "inbound", "manual", 2, 4, 2, 0.5),
        ("text", "inbound", "scheduled", 1, 4, 3, 0.75),
    ]


def test_a_flag_that_the_api_does_not_send_is_a_segment_of_its_own(base: Base) -> None:
    base.result(1, passed=1, of=4, run_as_text=None)
    base.result(2, passed=1, of=2, run_as_text=False)

    assert base.rows("select channel, pass_rate from analytics.agent_segments order by pass_rate") == [
        (None, 0.25),
        ("voice", 0.5),
    ]


def test_a_segment_with_nothing_completed_has_rates_of_null(base: Base) -> None:
    base.result(1, of=4, status="running")

    assert base.row(
        """select results, completed_results, decided_runs, passed_runs, pass_rate, pass_rate_low,
        pass_rate_high, infrastructure_failure_rate from analytics.agent_segments"""
    ) == (1, 0, 0, 0, None, None, None, None)


def test_infrastructure_failures_are_those_of_the_segment(base: Base) -> None:
    base.result(1, passed=1, of=2)
    base.result(2, of=10, status="timeout")
    base.result(3, passed=1, of=1, run_as_text=True)

    assert base.rows(
        """select channel, infrastructure_failed_results, infrastructure_failure_rate
        from analytics.agent_segments order by channel"""
    ) == [("text", 0, 0.0), ("voice", 1, 0.5)]


@pytest.mark.parametrize(("passed", "of", "low", "high"), WILSON)
def test_the_interval_is_wilsons_as_published(
    base: Base, passed: int, of: int, low: float, high: float
) -> None:
    base.result(1, passed=passed, of=of)

    interval = base.row("select pass_rate_low, pass_rate_high from analytics.agent_segments")

    assert interval == pytest.approx((low, high), abs=0.00005)
