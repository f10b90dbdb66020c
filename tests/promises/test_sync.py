"""The main job through the public door: the command against a server, judged by rows and exit codes."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cekura_sync import clock
from cekura_sync.sandbox import Request
from support.harness import Account
from support.rare import rare


def test_a_first_sync_brings_every_result_with_its_runs_and_scenarios(account: Account) -> None:
    ran = account.sync()

    assert ran.code == 0, ran.err
    account.assert_equals_api()
    assert ran.json["mode"] == "full"
    assert ran.json["inserted"] == ran.json["results"] == 250
    assert ran.json["in_flight"] == 3


def test_a_second_sync_with_nothing_new_changes_no_byte_and_needs_three_requests_at_most(
    synced_account: Account,
) -> None:
    synced_account.world.finish()
    synced_account.sync()
    before = hashlib.sha256(synced_account.warehouse.read_bytes()).digest()

    ran = synced_account.sync()

    assert ran.json["changed"] is False
    assert ran.json["requests"] <= 3
    assert hashlib.sha256(synced_account.warehouse.read_bytes()).digest() == before


def test_a_quick_sync_brings_exactly_what_was_inserted_and_edited(
    new_synced: Callable[..., Account],
) -> None:
    account = new_synced(in_flight=0)
    account.world.insert(50)
    for id_ in sorted(account.world.results)[-100:-50]:
        account.world.edit(id_, name=f"renamed {id_}")

    ran = account.sync("--lookback", "20d")

    assert ran.json["mode"] == "quick"
    assert (ran.json["inserted"], ran.json["updated"], ran.json["deleted"]) == (50, 50, 0)
    account.assert_equals_api()


def test_a_quick_sync_reads_as_far_back_as_its_lookback(new_synced: Callable[..., Account]) -> None:
    account = new_synced(results=60, days=5, in_flight=0, agents=1)
    ((newest,),) = account.query("select max(created_at) from cekura.results")
    (within,) = account.world.insert(created_at=newest - timedelta(hours=20))
    (below,) = account.world.insert(created_at=newest - timedelta(hours=60))

    ran = account.sync("--page-size", "10")

    assert (ran.code, ran.json["mode"], ran.json["inserted"]) == (0, "quick", 1), ran.err
    stored = {id_ for (id_,) in account.query("select id from cekura.results")}
    assert (within in stored, below in stored) == (True, False)


def test_a_full_sync_finds_old_edits_that_moved_no_timestamp(synced_account: Account) -> None:
    account = synced_account
    oldest = min(account.world.results)
    account.world.touchless_edit(oldest, name="quietly renamed")

    assert account.sync().json["updated"] == 0
    assert account.sync("--full").json["updated"] == 1
    account.assert_equals_api()


def test_deleted_results_are_marked_and_come_back_when_restored(synced_account: Account) -> None:
    gone = sorted(synced_account.world.results)[100]
    synced_account.world.delete(gone)

    assert synced_account.sync("--full").json["deleted"] == 1
    synced_account.assert_equals_api()
    synced_account.world.restore(gone)
    assert synced_account.sync("--full").json["restored"] == 1
    synced_account.assert_equals_api()


def test_runs_that_are_dropped_from_a_live_result_leave_no_orphan(synced_account: Account) -> None:
    some = sorted(synced_account.world.results)[-20:]
    for id_ in some[:10]:
        synced_account.world.drop_runs(id_, keep=1)
    for id_ in some[10:]:
        synced_account.world.drop_runs(id_, keep=0)

    assert synced_account.sync("--full").code == 0
    synced_account.assert_equals_api()


@pytest.mark.long  # test_forms.py compares every view of them in every run
def test_both_shapes_of_the_api_give_the_same_warehouse(new_account: Callable[..., Account]) -> None:
    now = datetime.now(UTC)
    observed = new_account("observed.duckdb", now=now)
    literal = new_account("literal.duckdb", now=now, shape="literal")
    for account in (observed, literal):
        assert account.sync().code == 0

    literal.assert_equals_api()
    for question in (
        "select * exclude (_digest, first_seen_at, synced_at) from cekura.results order by id",
        "from analytics.agent_pass_rate order by agent_id",
    ):
        assert observed.query(question) == literal.query(question)


def test_a_filtered_sync_brings_one_agent_and_hides_nothing_from_a_later_sync_of_all(
    account: Account,
) -> None:
    agent = next(iter(account.world.results.values()))["agent"]

    assert account.sync("--agent-id", str(agent)).code == 0
    assert {row["agent"] for row in account.stored().values()} == {agent}
    ran = account.sync()
    assert ran.json["mode"] == "full"
    account.assert_equals_api()


def test_a_dry_run_says_what_would_change_and_writes_nothing(account: Account) -> None:
    ran = account.sync("--dry-run")

    assert ran.code == 0, ran.err
    assert (ran.json["inserted"], ran.json["dry_run"]) == (250, True)
    told = account.run("sync", "--dry-run").err
    assert "would be 250 inserted; 250 results would be in the warehouse" in told
    assert not account.warehouse.exists()
    assert not account.home.exists()


def test_an_empty_account_is_warned_about_and_gives_an_empty_warehouse_with_its_views(
    new_account: Callable[..., Account],
) -> None:
    account = new_account(results=0, in_flight=0)

    ran = account.sync()

    assert ran.json["results"] == 0
    assert ran.err == "Warning: The API lists no results: does the key belong to the right account?\n"
    assert account.query("from analytics.agent_pass_rate") == []
    assert account.query("select live_results from analytics.sync_status") == [(0,)]


def test_a_first_filter_that_finds_nothing_is_no_error_but_is_warned_about(account: Account) -> None:
    mistyped = account.sync("--agent-id", "99999", "--dry-run")
    assert (mistyped.code, mistyped.json["rows_read"]) == (0, 0)
    assert mistyped.err == "Warning: The API lists no results for agent_id=99999: is the filter right?\n"
    assert account.sync("--dry-run").err == ""


def test_the_last_results_that_are_deleted_are_no_mistyped_filter(settled: Account) -> None:
    for id_ in [*settled.world.results]:
        settled.world.delete(id_)

    ran = settled.sync("--full", "--allow-mass-delete", "--dry-run")

    assert (ran.json["deleted"], ran.err) == (20, "")


def test_verbose_says_what_is_read_and_why_and_what_became_of_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*options: str) -> str:
        ran = account.run("sync", "-v", *options)
        assert (ran.code, ran.out) == (0, "")
        return ran.err

    first, quick, asked = said("--agent-id", "4101"), said("--agent-id", "4101"), said("--full", "--dry-run")
    later = clock.now() + timedelta(seconds=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    due = said("--full-every", "1s", "--agent-id", "4101", "--dry-run")

    assert "Full sync of agent_id=4101: the first.\n" in first
    assert re.search(r"^Pages read: \d+; retries: 0\.$", first, re.MULTILINE)
    assert f"Published generation 1 of {account.warehouse}.\n" in first
    assert re.search(
        r"^Quick sync of agent_id=4101, back to what was created at [-\d]{10} [:\d]{8} UTC; ", quick
    )
    assert "Nothing to publish" in quick
    assert "Full sync of all results: --full asks for it.\n" in asked
    assert re.search(r"^Full sync of agent_id=4101: the last one began at [-\d]{10} [:\d]{8} UTC\.\n", due)


def test_a_field_that_the_api_adds_later_becomes_a_column(synced_account: Account) -> None:
    newest = max(synced_account.world.results)
    synced_account.world.edit(newest, agentMood={"number": 7})

    assert synced_account.sync().json["updated"] == 1
    assert synced_account.query("select id, agent_mood from cekura.results where agent_mood is not null") == [
        (newest, '{"number":7}')
    ]


def test_the_watermark_is_the_newest_change_and_a_date_from_the_future_never_moves_it(
    synced_account: Account,
) -> None:
    synced_account.world.edit(max(synced_account.world.results), updated_at="2031-01-01T00:00:00Z")

    ran = synced_account.sync()

    assert ran.code == 0, ran.err
    assert ran.json["watermark"] < "2031"


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param({"results": 0, "in_flight": 0}, marks=pytest.mark.long),
        {"results": 5, "in_flight": 0, "updated_at": None},
        {"results": 5, "in_flight": 0, "created_at": "never"},
    ],
    ids=["no results", "no updated_at", "every row rejected"],
)
def test_an_account_that_gives_no_watermark_at_first_is_synced_again_like_any_other(
    new_account: Callable[..., Account], nothing: dict[str, object]
) -> None:
    fields = {name: nothing.pop(name) for name in ("updated_at", "created_at") if name in nothing}
    account = new_account(**nothing)
    for id_ in account.world.results:
        account.world.edit(id_, **fields)
    assert account.sync().code == 0

    account.world.insert(3)

    assert account.sync().code == 0
    assert account.sync("--full").code == 0
    assert len(account.stored()) >= 3


def test_a_field_that_few_rows_carry_changes_no_other_row_whichever_is_met_first(
    new_account: Callable[..., Account],
) -> None:
    account = new_account(results=300, in_flight=0)
    for number, id_ in enumerate(sorted(account.world.results)):
        account.world.touchless_edit(id_, zeta="z", **({"alpha": "a"} if number < 50 else {}))
    account.sync()
    account.world.insert(1, alpha="new")

    assert account.sync().json["inserted"] == 1
    ran = account.sync("--full")

    assert (ran.json["updated"], ran.json["changed"]) == (0, False)


def test_a_row_in_flight_keeps_a_field_that_no_listed_row_of_the_sync_carries(
    new_account: Callable[..., Account],
) -> None:
    account = new_account(results=60, in_flight=0, page_size_cap=20)
    (running,) = account.world.insert(
        1, status="running", created_at=datetime.now(UTC) - timedelta(days=3), alpha="a"
    )
    account.sync()
    account.world.insert(30)

    ran = account.sync("--lookback", "0")

    assert (ran.json["mode"], ran.json["updated"]) == ("quick", 0)
    assert account.query(f"select alpha from cekura.results where id = {running}") == [("a",)]


@pytest.mark.parametrize("date", ["1970-01-01T00:00:00Z", *rare("2005-01-01T00:00:00Z")])
def test_one_old_date_at_the_end_of_a_page_hides_no_new_row_from_a_quick_sync(
    new_synced: Callable[..., Account], date: str
) -> None:
    account = new_synced(in_flight=0, page_size_cap=20)
    new = account.world.insert(50)
    by_id = sorted(account.world.results, reverse=True)

    def in_order_of_ids(request: Request, payload: dict[str, Any]) -> dict[str, Any]:
        for row in payload.get("results", []):
            if row["id"] == by_id[19]:
                row["created_at"] = date
        return payload

    account.sandbox.rewrite = in_order_of_ids
    ran = account.sync()

    assert ran.code == 0, ran.err
    assert {*new} - {by_id[19]} <= account.stored().keys()
    assert ran.json["requests"] < 150


def test_another_account_in_place_of_an_old_one_is_refused_even_where_all_known_rows_are_old(
    new_account: Callable[..., Account],
) -> None:
    then = datetime.now(UTC) - timedelta(days=200)
    old = new_account(results=40, in_flight=0, now=then)
    assert old.sync().code == 0
    other = new_account(results=90, in_flight=0)
    for id_ in [*other.world.results]:
        if id_ in old.world.results:
            other.world.delete(id_)

    ran = old.run("sync", "--json", "--full", CEKURA_API_URL=other.sandbox.url)

    assert ran.code == 7
    old.assert_equals_api()


def test_a_row_in_flight_that_the_pages_do_not_reach_is_read_by_id(
    new_account: Callable[..., Account],
) -> None:
    account = new_account(results=60, in_flight=0, page_size_cap=20)
    long_ago = datetime.now(UTC) - timedelta(days=20)
    (running,) = account.world.insert(1, status="running", created_at=long_ago)
    account.sync()
    account.world.insert(30)
    account.world.finish([running])

    ran = account.sync("--lookback", "0")

    assert (ran.json["mode"], ran.json["inserted"], ran.json["updated"]) == ("quick", 30, 1)
    account.assert_equals_api()


def test_a_run_listed_under_two_new_results_goes_back_to_the_one_that_keeps_it(
    synced_account: Account,
) -> None:
    account = synced_account
    world = account.world
    one, other = sorted(world.results)[-12:-10]
    before = list(world.results[other]["runs"])
    world.touchless_edit(other, runs=[*before, world.results[one]["runs"][0]])
    assert account.sync().code == 0  # the run stands with the other, which has the higher id
    world.touchless_edit(other, runs=before)

    assert account.sync("--full").code == 0

    account.assert_equals_api()


def test_a_run_that_leaves_a_result_and_returns_is_there_again(new_synced: Callable[..., Account]) -> None:
    account = new_synced(page_size_cap=20)
    world = account.world
    old, new = min(world.results), max(world.results)
    before = {id_: list(world.results[id_]["runs"]) for id_ in (old, new)}
    world.touchless_edit(old, runs=before[old][1:])
    world.touchless_edit(new, runs=[*before[new], before[old][0]])
    assert account.sync().json["mode"] == "quick"  # sees only the newer of the two
    for id_, runs in before.items():
        world.touchless_edit(id_, runs=runs)
    assert account.sync().json["mode"] == "quick"

    assert account.sync("--full").code == 0

    account.assert_equals_api()
    assert account.sync("--full").json["changed"] is False


def test_a_rate_that_comes_in_percent_by_id_is_the_rate_of_the_list(
    new_account: Callable[..., Account],
) -> None:
    account = new_account(results=120, in_flight=0, page_size_cap=20, runs_per_result=3, vary_runs=False)
    world = account.world
    old = next(
        id_
        for id_, row in sorted(world.results.items())
        if sum(run["success"] is True for run in row["runs"]) == 1
        and all(isinstance(run["success"], bool) for run in row["runs"])
    )
    world.edit(old, status="running")  # far below the pages, so it is read by its id
    assert account.sync().code == 0

    def percent(request: Request, payload: dict[str, Any]) -> dict[str, Any] | None:
        is_list = "results" in payload
        return None if is_list else payload | {"success_rate": payload["success_rate"] * 100}

    account.sandbox.rewrite = percent

    assert account.sync().json["updated"] == 0
