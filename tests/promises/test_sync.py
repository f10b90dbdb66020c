"""The main job through the public door: the command against a server, judged by rows and exit codes."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cekura_sync import clock
from cekura_sync.sandbox import Request
from support.harness import Account, NewAccount
from support.rare import rare


@pytest.fixture
def calm(new_synced: NewAccount) -> Account:
    """After a first sync: 250 results, none in flight. All have a field of their own, the oldest fifty another one."""
    return new_synced(in_flight=0, page_size_cap=20, arrange=add_fields)


def add_fields(account: Account) -> None:
    for number, id_ in enumerate(sorted(account.world.results)):
        account.world.touchless_edit(id_, zeta="z", **({"alpha": "a"} if number < 50 else {}))


def test_a_first_sync_brings_every_result_with_its_runs_and_scenarios(synced_account: Account) -> None:
    synced_account.assert_equals_api()
    log = "select mode, inserted, results, in_flight from cekura.sync_log"
    assert synced_account.query(log) == [("full", 250, 250, 3)]


def test_a_second_sync_with_nothing_new_changes_no_byte_and_needs_three_requests_at_most(
    calm: Account,
) -> None:
    before = hashlib.sha256(calm.warehouse.read_bytes()).digest()

    ran = calm.sync()

    assert ran.json["changed"] is False
    assert ran.json["requests"] <= 3
    assert hashlib.sha256(calm.warehouse.read_bytes()).digest() == before


def test_a_quick_sync_brings_exactly_what_was_inserted_and_edited(calm: Account) -> None:
    """A field that is new becomes a column; one that few rows carry changes no other row, whichever is met first. A date from the future does not move the watermark."""
    world = calm.world
    world.insert(1, alpha="new")
    world.insert(49)
    edited = sorted(world.results)[-100:-50]
    for id_ in edited:
        world.edit(id_, name=f"renamed {id_}")
    world.edit(edited[0], agentMood={"number": 7})
    world.edit(edited[1], updated_at="2031-01-01T00:00:00Z")

    ran = calm.sync("--lookback", "20d")

    assert (ran.code, ran.json["mode"]) == (0, "quick"), ran.err
    assert (ran.json["inserted"], ran.json["updated"], ran.json["deleted"]) == (50, 50, 0)
    calm.assert_equals_api()
    moods = "select id, agent_mood from cekura.results where agent_mood is not null"
    assert calm.query(moods) == [(edited[0], '{"number":7}')]
    assert ran.json["watermark"] < "2031"
    ran = calm.sync("--full")
    assert (ran.json["updated"], ran.json["changed"]) == (0, False)


def test_a_quick_sync_reads_as_far_back_as_its_lookback(new_synced: NewAccount) -> None:
    account = new_synced(results=60, days=5, in_flight=0, agents=1)
    ((newest,),) = account.query("select max(created_at) from cekura.results")
    (within,) = account.world.insert(created_at=newest - timedelta(hours=20))
    (below,) = account.world.insert(created_at=newest - timedelta(hours=60))

    ran = account.sync("--page-size", "10")

    assert (ran.code, ran.json["mode"], ran.json["inserted"]) == (0, "quick", 1), ran.err
    stored = {id_ for (id_,) in account.query("select id from cekura.results")}
    assert (within in stored, below in stored) == (True, False)


def test_runs_that_are_dropped_from_a_live_result_leave_no_orphan(synced_account: Account) -> None:
    """A full sync also finds old edits that moved no timestamp, and marks what was deleted, which comes back when it is restored."""
    account, world = synced_account, synced_account.world
    ids = sorted(world.results)
    world.touchless_edit(ids[0], name="quietly renamed")
    assert account.sync().json["updated"] == 0
    for id_ in ids[-20:-10]:
        world.drop_runs(id_, keep=1)
    for id_ in ids[-10:]:
        world.drop_runs(id_, keep=0)
    world.delete(ids[100])

    ran = account.sync("--full")

    assert (ran.code, ran.json["updated"], ran.json["deleted"]) == (0, 21, 1), ran.err
    account.assert_equals_api()
    world.restore(ids[100])
    assert account.sync("--full").json["restored"] == 1
    account.assert_equals_api()


@pytest.mark.long  # test_forms.py compares every view of them in every run
def test_both_shapes_of_the_api_give_the_same_warehouse(new_account: NewAccount) -> None:
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


def test_a_dry_run_says_what_would_change_and_writes_nothing(account: Account) -> None:
    ran = account.sync("--dry-run")

    assert ran.code == 0, ran.err
    assert (ran.json["inserted"], ran.json["dry_run"]) == (250, True)
    told = account.run("sync", "--dry-run").err
    assert "would be 250 inserted; 250 results would be in the warehouse" in told
    assert not account.warehouse.exists()
    assert not account.home.exists()


def test_an_empty_account_is_warned_about_and_gives_an_empty_warehouse_with_its_views(
    new_account: NewAccount,
) -> None:
    """Later it is synced like any other."""
    account = new_account(results=0, in_flight=0)

    ran = account.sync()

    assert ran.json["results"] == 0
    assert ran.err == "Warning: The API lists no results: does the key belong to the right account?\n"
    assert account.query("from analytics.agent_pass_rate") == []
    assert account.query("select live_results from analytics.sync_status") == [(0,)]
    assert_synced_like_any_other(account)


def assert_synced_like_any_other(account: Account) -> None:
    account.world.insert(3)

    assert account.sync().code == 0
    assert account.sync("--full").code == 0
    assert len(account.stored()) >= 3


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


def test_a_filtered_sync_brings_one_agent_and_hides_nothing_from_a_later_sync_of_all(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told with --verbose: what is read, and why, and what became of it."""

    def said(*options: str) -> str:
        ran = account.run("sync", "-v", *options)
        assert (ran.code, ran.out) == (0, "")
        return ran.err

    first, quick, asked = said("--agent-id", "4101"), said("--agent-id", "4101"), said("--full", "--dry-run")
    assert {row["agent"] for row in account.stored().values()} == {4101}
    later = clock.now() + timedelta(seconds=2)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        due = said("--full-every", "1s", "--agent-id", "4101", "--dry-run")
    ran = account.sync()

    assert ran.json["mode"] == "full"
    account.assert_equals_api()
    assert "Full sync of agent_id=4101: the first.\n" in first
    assert re.search(r"^Pages read: \d+; retries: 0\.$", first, re.MULTILINE)
    assert f"Published generation 1 of {account.warehouse}.\n" in first
    assert re.search(
        r"^Quick sync of agent_id=4101, back to what was created at [-\d]{10} [:\d]{8} UTC; ", quick
    )
    assert "Nothing to publish" in quick
    assert "Full sync of all results: --full asks for it.\n" in asked
    assert re.search(r"^Full sync of agent_id=4101: the last one began at [-\d]{10} [:\d]{8} UTC\.\n", due)


@pytest.mark.long
@pytest.mark.parametrize(
    "nothing",
    [
        {"results": 5, "in_flight": 0, "updated_at": None},
        *rare({"results": 5, "in_flight": 0, "created_at": "never"}),  # as good as an empty account
    ],
    ids=["no updated_at", "every row rejected"],
)
def test_an_account_that_gives_no_watermark_at_first_is_synced_again_like_any_other(
    new_account: NewAccount, nothing: dict[str, object]
) -> None:
    fields = {name: nothing.pop(name) for name in ("updated_at", "created_at") if name in nothing}
    account = new_account(**nothing)
    for id_ in account.world.results:
        account.world.edit(id_, **fields)
    assert account.sync().code == 0

    assert_synced_like_any_other(account)


@pytest.mark.parametrize("date", ["1970-01-01T00:00:00Z", *rare("2005-01-01T00:00:00Z")])
def test_one_old_date_at_the_end_of_a_page_hides_no_new_row_from_a_quick_sync(
    calm: Account, date: str
) -> None:
    account = calm
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
    new_account: NewAccount,
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


def test_a_row_in_flight_that_the_pages_do_not_reach_is_read_by_id(new_account: NewAccount) -> None:
    """It keeps a field that no listed row of the sync carries, and a rate that comes in percent by id is the rate of the list."""
    account = new_account(results=120, in_flight=0, page_size_cap=20, runs_per_result=3, vary_runs=False)
    world, now = account.world, datetime.now(UTC)
    rated = next(
        id_
        for id_, row in sorted(world.results.items())
        if sum(run["success"] is True for run in row["runs"]) == 1
        and all(isinstance(run["success"], bool) for run in row["runs"])
    )
    world.edit(rated, status="running")  # far below the pages
    (odd,) = world.insert(1, status="running", created_at=now - timedelta(days=13), alpha="a")
    (finishes,) = world.insert(1, status="running", created_at=now - timedelta(days=20))
    assert account.sync().code == 0
    world.insert(30)
    world.finish([finishes])

    def percent(request: Request, payload: dict[str, Any]) -> dict[str, Any] | None:
        is_list = "results" in payload or payload["success_rate"] is None
        return None if is_list else payload | {"success_rate": payload["success_rate"] * 100}

    account.sandbox.rewrite = percent

    ran = account.sync("--lookback", "0")

    assert (ran.json["mode"], ran.json["inserted"], ran.json["updated"]) == ("quick", 30, 1)
    account.assert_equals_api()
    assert account.query(f"select alpha from cekura.results where id = {odd}") == [("a",)]


@pytest.mark.long
def test_a_run_that_leaves_a_result_and_returns_is_there_again(new_synced: NewAccount) -> None:
    """So does one that was listed under two new results for a while."""
    account = new_synced(page_size_cap=20)
    world = account.world
    old, one, other, new = (sorted(world.results)[place] for place in (0, -12, -11, -1))
    before = {id_: list(world.results[id_]["runs"]) for id_ in (old, other, new)}
    world.touchless_edit(old, runs=before[old][1:])
    world.touchless_edit(new, runs=[*before[new], before[old][0]])
    world.touchless_edit(other, runs=[*before[other], world.results[one]["runs"][0]])
    assert account.sync().json["mode"] == "quick"  # sees only the newer of the first two
    world.touchless_edit(old, runs=before[old])
    world.touchless_edit(new, runs=before[new])
    assert account.sync().json["mode"] == "quick"
    twice = account.query(
        f"select result_id from cekura.runs where id = {world.results[one]['runs'][0]['id']}"
    )
    assert twice == [(other,)]  # which has the higher id
    world.touchless_edit(other, runs=before[other])

    assert account.sync("--full").code == 0

    account.assert_equals_api()
    assert account.sync("--full").json["changed"] is False
