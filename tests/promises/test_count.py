"""The number of results listed against the API's own `count`: believed where it has been right, and never a reason to stop a
healthy account."""

from typing import Any

import pytest

from cekura_sync.sandbox import Request
from support.harness import Account, NewAccount

HIDDEN = 30  # of ninety: more than the twenty that may be missing by chance


@pytest.fixture
def account(new_synced: NewAccount) -> Account:
    """Ninety results whose count was right at the first sync."""
    return new_synced(results=90, runs_per_result=1, page_size_cap=20, in_flight=0)


def make_dependable(account: Account) -> None:
    for _ in range(2):
        assert account.sync("--full").code == 0


def lists(account: Account, *, without: frozenset[int] = frozenset(), too_many: int = 0) -> None:
    """From now on the API lists results without these, and counts so many too many; its offsets stay."""

    def rewrite(_: Request, payload: dict[str, Any]) -> None:
        if "results" in payload:
            payload["count"] += too_many
            payload["results"] = [row for row in payload["results"] if row["id"] not in without]

    account.sandbox.rewrite = rewrite


def hide_new_ones(account: Account, number: int) -> None:
    """So many new results are counted and not listed: a filter after the pages were cut."""
    account.world.insert(2 * number)
    lists(account, without=frozenset(sorted(account.world.results)[-2 * number :: 2]))


def test_a_list_that_is_much_shorter_than_a_dependable_count_is_refused(account: Account) -> None:
    make_dependable(account)
    hide_new_ones(account, HIDDEN)
    before = account.warehouse.read_bytes()

    ran = account.sync("--full")

    assert ran.code == 6, ran.err
    assert f"The API counts 150 results and lists {HIDDEN} fewer" in ran.json["error"]
    assert account.warehouse.read_bytes() == before
    assert account.sync("--full", "--allow-mass-delete").code == 0


def test_a_count_that_has_been_right_only_twice_is_a_warning(account: Account) -> None:
    account.sync("--full")
    hide_new_ones(account, HIDDEN)

    ran = account.sync("--full")

    assert (ran.code, f"lists {HIDDEN} fewer" in ran.err) == (0, True), ran.err


def test_a_few_results_fewer_than_a_dependable_count_are_a_warning_once(account: Account) -> None:
    make_dependable(account)
    hide_new_ones(account, 2)

    assert "Warning: The API counts 94 results and lists 2 fewer" in account.sync("--full").err
    assert account.sync("--full").err == ""


def test_a_count_that_is_always_too_high_never_stops_a_sync(account: Account) -> None:
    lists(account, too_many=1000)
    said = []
    for _ in range(3):
        ran = account.sync("--full")
        assert ran.code == 0, ran.err
        said.append(ran.err)

    assert "fewer" in said[0]
    assert said[1:] == ["", ""]
    account.assert_equals_api()


@pytest.mark.long
def test_a_count_that_holds_deleted_results_too_never_stops_a_sync(account: Account) -> None:
    make_dependable(account)
    for round_ in range(1, 3):
        for id_ in sorted(account.world.results)[:15]:
            account.world.delete(id_)
        lists(account, too_many=15 * round_)

        ran = account.sync("--full")

        assert (ran.code, ran.json["deleted"]) == (0, 15), ran.err
    account.assert_equals_api()


@pytest.mark.long
def test_results_that_come_and_go_while_the_list_is_read_are_no_reason_to_doubt_it(account: Account) -> None:
    make_dependable(account)

    def churn(request: Request) -> None:
        account.world.insert(1)
        if request.index % 3 == 0:
            account.world.delete(sorted(account.world.results)[request.index])

    account.sandbox.after = churn
    account.sandbox.reset_requests()
    assert account.sync("--full").code == 0
    account.sandbox.after = None

    assert account.sync("--full").code == 0
    account.assert_equals_api()


def test_a_count_that_is_too_low_or_not_there_says_nothing(account: Account) -> None:
    make_dependable(account)
    for counts in ("zero", "wrong", "missing"):
        account.sandbox.change(count=counts)

        ran = account.sync("--full")

        assert (ran.code, ran.err) == (0, ""), counts


@pytest.mark.long
def test_a_row_that_a_filter_repeats_is_counted_as_often_as_it_is_listed(new_account: NewAccount) -> None:
    account = new_account(results=60, runs_per_result=4, page_size_cap=20, in_flight=0)
    scenarios = ",".join(str(scenario.id) for scenario in account.world.agents[0].scenarios[:3])
    for _ in range(2):
        ran = account.sync("--full", "--scenarios", scenarios)
        assert (ran.code, "fewer" in ran.err) == (0, False), ran.err

    assert {value for (value,) in account.query("select shortfall from cekura.sync_log")} == {0}
