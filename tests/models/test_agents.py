import pytest

from support.base import Base

NAMES = "select agent_id, agent_name from analytics.agents order by agent_id nulls last"


def test_an_agent_goes_by_the_name_on_its_newest_result(base: Base) -> None:
    base.result(1, agent_name="New", created_at="2024-03-05 00:00:00+00")
    base.result(2, agent_name="Old", created_at="2024-03-04 00:00:00+00")

    assert base.rows(NAMES) == [(1, "New")]


def test_among_results_of_one_instant_the_greatest_id_names_the_agent(base: Base) -> None:
    base.result(1, agent_name="First")
    base.result(3, agent_name="Last")
    base.result(2, agent_name="Middle")

    assert base.rows(NAMES) == [(1, "Last")]


@pytest.mark.parametrize("nothing", [None, "", "  ", "\t\n"])
def test_a_newer_result_without_a_name_does_not_take_the_name_away(base: Base, nothing: str | None) -> None:
    base.result(1, agent_name="Anna", created_at="2024-03-04 00:00:00+00")
    base.result(2, agent_name=nothing, created_at="2024-03-05 00:00:00+00")

    assert base.rows(NAMES) == [(1, "Anna")]


def test_a_deleted_result_names_no_agent(base: Base) -> None:
    base.result(1, agent_name="Kept", created_at="2024-03-04 00:00:00+00")
    base.result(
        2, agent_name="Gone", created_at="2024-03-05 00:00:00+00", deleted_at="2024-03-06 00:00:00+00"
    )

    assert base.rows(NAMES) == [(1, "Kept")]


def test_two_agents_of_one_name_stay_two_and_results_without_an_agent_are_one_row(base: Base) -> None:
    base.result(1, agent=1, agent_name="Anna")
    base.result(2, agent=2, agent_name="Anna")
    base.result(3, agent=None, agent_name="Lost")
    base.result(4, agent=None, agent_name=None)

    assert base.rows(NAMES) == [(1, "Anna"), (2, "Anna"), (None, "Lost")]


def test_an_agent_that_never_had_a_name_has_a_row_all_the_same(base: Base) -> None:
    base.result(1, agent_name=None)

    assert base.rows(NAMES) == [(1, None)]
