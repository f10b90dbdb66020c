import pytest

from support.base import Base


@pytest.mark.parametrize(
    ("status", "group"),
    [
        ("pending", "in_flight"),
        ("in_queue", "in_flight"),
        ("scaling_up", "in_flight"),
        ("running", "in_flight"),
        ("in_progress", "in_flight"),
        ("evaluating", "in_flight"),
        ("paused", "in_flight"),
        (None, "in_flight"),
        ("completed", "completed"),
        ("failed", "infrastructure_failure"),
        ("timeout", "infrastructure_failure"),
        ("cancelled", "cancelled"),
    ],
)
def test_every_status_falls_into_one_of_four_groups(base: Base, status: str | None, group: str) -> None:
    base.result(1, status=status)

    assert base.row("select status, status_group from analytics.live_results") == (status, group)


def test_channel_direction_and_trigger_are_the_flags_in_words(base: Base) -> None:
    base.result(1, run_as_text=True, agent_inbound=True, is_cronjob=True)
    base.result(2, run_as_text=False, agent_inbound=False, is_cronjob=False)

    assert base.rows("select channel, direction, trigger from analytics.live_results order by result_id") == [
        ("text", "inbound", "scheduled"),
        ("voice", "outbound", "manual"),
    ]


def test_a_flag_that_the_api_does_not_send_is_not_guessed(base: Base) -> None:
    base.result(1, run_as_text=None, agent_inbound=None, is_cronjob=None)

    assert base.row("select channel, direction, trigger from analytics.live_results") == (None, None, None)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Pacific/Auckland"])
def test_a_day_is_a_utc_day_whatever_the_time_zone_of_the_reader(base: Base, zone: str) -> None:
    base.con.execute(f"set timezone = '{zone}'")
    base.result(1, created_at="2024-03-04 23:59:59.999999+00")
    base.result(2, created_at="2024-03-05 00:00:00+00")

    assert base.rows("select cast(created_on as varchar) from analytics.live_results order by result_id") == [
        ("2024-03-04",),
        ("2024-03-05",),
    ]


@pytest.mark.parametrize(("met", "total"), [(5, 4), (-1, 4), (None, 4), (4, None)])
def test_expected_outcomes_that_contradict_each_other_are_unknown(
    base: Base, met: int | None, total: int | None
) -> None:
    base.result(1, met_expected_outcome_count=met, total_expected_outcome_count=total)

    assert base.row("select met_expected_outcomes, expected_outcomes from analytics.live_results") == (
        None,
        None,
    )
