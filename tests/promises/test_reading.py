"""What a reading may not believe: an order seen on one page, a filter, a place where a run was, a list of nothing but flaws."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import pytest

from support.harness import Account
from support.rare import rare

NewAccount = Callable[..., Account]


@pytest.mark.parametrize("order", ["id_desc", "updated_desc"])
@pytest.mark.parametrize("count", [*rare("right"), "zero"])
def test_old_results_on_top_of_the_list_do_not_end_a_quick_reading(
    new_synced: NewAccount, order: str, count: str
) -> None:
    account = new_synced(results=80, in_flight=0, page_size_cap=12, count=count)
    world, oldest_first = account.world, sorted(account.world.results)
    account.sandbox.change(order=order)
    world.insert(3)
    if order == "id_desc":
        long_ago = datetime.now(UTC) - timedelta(days=60)
        for minute in range(20):
            world.insert(created_at=long_ago + timedelta(minutes=minute))
    else:
        for id_ in oldest_first[:20]:
            world.edit(id_, name="evaluated again")

    ran = account.sync()

    assert ran.code == 0, ran.err
    account.assert_equals_api()


def test_an_import_that_is_newer_than_all_that_is_known_does_not_end_a_quick_reading(
    new_account: NewAccount,
) -> None:
    """No known result stands where it would be missed."""
    today = datetime.now(UTC)
    account = new_account(results=15, in_flight=0, page_size_cap=12, now=today - timedelta(days=80))
    account.world.edit(max(account.world.results), name="evaluated again today")
    assert account.sync().code == 0
    account.sandbox.change(order="id_desc")
    account.world.insert(3)
    for minute in range(20):
        account.world.insert(created_at=today - timedelta(days=60) + timedelta(minutes=minute))

    ran = account.sync()

    assert (ran.code, ran.json["inserted"]) == (0, 23), ran.err
    account.assert_equals_api()


def test_a_dependable_count_tells_of_a_new_result_that_stands_below_older_ones(
    new_account: NewAccount,
) -> None:
    """The list is grouped; no known result stands where it would be missed."""
    now = datetime.now(UTC)
    account = new_account(results=0, in_flight=0, page_size_cap=12, order="grouped")
    for hours, id_ in enumerate(account.world.insert(60)):
        ago = timedelta(hours=200 - 3 * hours) if id_ % 2 == 0 else timedelta(days=20, hours=-hours)
        account.world.touchless_edit(id_, created_at=(now - ago).isoformat())
    for _ in range(3):
        assert account.sync("--full").code == 0
    account.assert_equals_api()
    while account.world.insert(1)[0] % 2 == 0:  # that one stands in front
        pass

    ran = account.sync()

    assert (ran.code, ran.json["mode"]) == (0, "full"), ran.err
    account.assert_equals_api()


def test_rows_that_are_not_stored_for_a_reason_are_no_doubt_about_the_count(new_account: NewAccount) -> None:
    account = new_account(results=80, in_flight=0, page_size_cap=40)
    world = account.world
    assert account.sync().code == 0
    flawed, erased, *_ = sorted(world.results)
    world.touchless_edit(world.insert(1)[0], success_rate="most")
    world.touchless_edit(flawed, success_rate="most")
    assert account.run("erase", "--result", str(erased)).code == 0
    for _ in range(3):
        assert account.sync("--full").code == 0
    world.insert(1)

    ran = account.sync()

    assert (ran.json["mode"], ran.json["requests"], ran.json["inserted"]) == ("quick", 1, 1)


def test_a_quick_sync_with_nothing_to_doubt_stays_at_one_request(new_synced: NewAccount) -> None:
    account = new_synced(results=80, in_flight=0, page_size_cap=40)
    account.world.insert(3)

    ran = account.sync()

    assert (ran.json["mode"], ran.json["requests"], ran.json["inserted"]) == ("quick", 1, 3)


@pytest.mark.parametrize(
    "shared", [pytest.param(False, marks=pytest.mark.long), True], ids=["alone", "with another scope"]
)
def test_a_result_that_gets_another_agent_leaves_the_scope_of_the_old_one(
    new_account: NewAccount, shared: bool
) -> None:
    account = new_account(results=40, in_flight=0)
    mine, other = account.world.agents[:2]
    scope = ("--agent-id", str(mine.id))
    if shared:
        assert account.sync("--search", "smoke").code == 0
    assert account.sync(*scope).code == 0
    moved = [id_ for id_, row in account.world.results.items() if row["agent"] == mine.id][:3]
    for id_ in moved:
        account.world.edit(id_, agent=other.id, agent_name=other.name)

    first, second = account.sync(*scope, "--full"), account.sync(*scope, "--full")

    assert (first.code, first.json["updated"], second.json["updated"]) == (0, len(moved), 0)
    assert {account.stored()[id_]["agent"] for id_ in moved} == {other.id}
    assert second.json["requests"] < first.json["requests"]


def test_a_row_in_flight_is_followed_in_each_of_two_filters_that_share_a_warehouse(
    new_account: NewAccount,
) -> None:
    account = new_account(results=60, in_flight=0, page_size_cap=12)
    for id_ in sorted(account.world.results)[:30]:
        account.world.edit(id_, name="alpha")
    oldest = min(account.world.results)
    account.world.edit(oldest, name="alpha", status="running")
    assert account.sync("--search", "smoke").code == 0
    assert account.sync("--search", "alpha").code == 0
    account.world.finish([oldest])

    ran = account.sync("--search", "alpha")

    assert (ran.json["mode"], ran.json["pages"]) == ("quick", 1), "the list is not read down to it"
    assert account.stored()[oldest]["status"] == "completed"


def test_a_deleted_row_in_flight_is_left_to_the_scope_that_can_judge_it(new_account: NewAccount) -> None:
    account = new_account(results=60, in_flight=0, page_size_cap=12)
    account.world.insert(20, name="alpha")
    oldest = min(account.world.results)
    account.world.edit(oldest, name="alpha", status="running")
    assert account.sync("--search", "smoke").code == 0
    assert account.sync("--search", "alpha").code == 0
    account.world.delete(oldest)

    ran = account.sync("--search", "alpha")

    assert (ran.code, ran.json["deleted"]) == (0, 0)
    assert oldest in account.stored()


def test_a_run_that_two_results_list_belongs_to_the_newer_one_and_is_settled_once(
    new_synced: NewAccount,
) -> None:
    account = new_synced(results=30, in_flight=0)
    older, newer = sorted(account.world.results)[-2:]
    shared = account.world.results[newer]["runs"][0]
    account.world.edit(older, runs=[*account.world.results[older]["runs"], shared])
    assert account.sync().code == 0
    owner = account.query(f"select result_id from cekura.runs where id = {shared['id']}")

    later = [account.sync("--full") for _ in range(3)]

    assert [ran.json["changed"] for ran in later[1:]] == [False, False]
    assert (
        owner == account.query(f"select result_id from cekura.runs where id = {shared['id']}") == [(newer,)]
    )


def _owners(account: Account, runs: Collection[int]) -> dict[int, int]:
    listed = ", ".join(map(str, runs))
    return dict(account.query(f"select id, result_id from cekura.runs where id in ({listed})"))


def _delete(account: Account, older: int, newer: int) -> None:
    account.world.delete(newer)


def _delete_and_edit_the_other(account: Account, older: int, newer: int) -> None:
    account.world.delete(newer)
    account.world.edit(older, name="edited")


def _list_it_no_more(account: Account, older: int, newer: int) -> None:
    account.world.edit(newer, runs=account.world.results[newer]["runs"][:-1])


def _erase(account: Account, older: int, newer: int) -> None:
    account.world.delete(newer)
    assert account.run("erase", "--result", str(newer)).code == 0


def _find_it_deleted_before(account: Account, older: int, newer: int) -> None:
    account.world.delete(newer)
    assert account.sync().json["mode"] == "quick"


ENDS = (_find_it_deleted_before, _erase, _delete, _delete_and_edit_the_other, _list_it_no_more)


def test_a_run_of_two_results_goes_back_to_the_older_one_when_the_newer_one_has_it_no_more(
    new_synced: NewAccount,
) -> None:
    account = new_synced(results=30, in_flight=0)
    world, ids = account.world, sorted(account.world.results)[-2 * len(ENDS) - 2 :]
    pairs = [*zip(ids[::2], ids[1::2], strict=True)]
    shared = {world.results[older]["runs"][0]["id"]: (older, newer) for older, newer in pairs}
    for older, newer in pairs:
        world.edit(newer, runs=[*world.results[newer]["runs"], world.results[older]["runs"][0]])
    assert account.sync().code == 0
    assert account.sync("--full").json["updated"] == 0
    assert _owners(account, shared) == {run: newer for run, (_, newer) in shared.items()}
    for end, (older, newer) in zip(ENDS, pairs, strict=False):
        end(account, older, newer)

    ran = account.sync("--full")

    assert ran.code == 0, ran.err
    *ended, kept = shared
    assert _owners(account, shared) == {run: shared[run][0] for run in ended} | {kept: shared[kept][1]}
    assert account.sync("--full").json["updated"] == 0


def test_a_run_of_two_results_goes_back_to_the_older_one_when_the_vendor_keeps_the_newer_one_no_longer(
    new_synced: NewAccount,
) -> None:
    """It has a higher id, and was created earlier."""
    account = new_synced(results=30, in_flight=0, days=20)
    older = min(account.world.results)
    (newer,) = account.world.insert(created_at=datetime.now(UTC) - timedelta(days=100))
    account.world.edit(newer, runs=account.world.results[older]["runs"][:1])
    run = account.world.results[older]["runs"][0]["id"]
    for _ in range(2):
        assert account.sync("--full").code == 0
    assert _owners(account, [run]) == {run: newer}
    account.world.delete(newer)

    assert account.sync("--full").json["deleted"] == 0
    assert _owners(account, [run]) == {run: older}
    assert account.query(f"select aged_out_at is not null from cekura.results where id = {newer}") == [
        (True,)
    ]


def test_a_list_most_of_whose_rows_cannot_be_taken_is_refused(new_synced: NewAccount) -> None:
    account = new_synced(results=30, in_flight=0)
    before = account.stored()
    for id_ in sorted(account.world.results)[:16]:
        account.world.touchless_edit(id_, total_runs_count="many")

    ran = account.sync("--full")

    assert ran.code == 5, ran.err
    assert "16 of 30 results cannot be stored" in ran.json["error"]
    assert "total_runs_count" in ran.json["error"]
    assert account.stored() == before


def test_a_list_half_of_whose_rows_cannot_be_taken_is_taken(new_account: NewAccount) -> None:
    account = new_account(results=30, in_flight=0)
    for id_ in sorted(account.world.results)[:15]:
        account.world.touchless_edit(id_, total_runs_count="many")

    ran = account.sync("--full")

    assert (ran.code, ran.json["rejected"]) == (0, 15)


@pytest.mark.parametrize("raw", [b'{"name": "no id"}', *rare(b'{"id": 99999999, "created_at": "soon"}')])
def test_a_rejected_row_that_is_listed_no_more_ends_with_the_reading_that_shows_it(
    new_account: NewAccount, raw: bytes
) -> None:
    account = new_account(results=30, in_flight=0)
    id_ = min(account.world.results)
    account.world.set_raw(id_, raw)
    assert account.sync("--full").json["rejected"] == 1
    account.world.delete(id_)

    assert account.sync("--full").json["rejected"] == 0
    assert account.query("select count(*) from cekura.rejected_rows") == [(0,)]


def test_a_clock_that_is_a_year_ahead_of_the_api_changes_nothing(new_account: NewAccount) -> None:
    a_year_ago = datetime.now(UTC) - timedelta(days=365)
    account = new_account(results=30, in_flight=0, now=a_year_ago)
    account.sandbox.date = lambda: a_year_ago

    ran = account.sync()

    assert (ran.code, account.warehouse.exists()) == (2, False)
    assert "clock of this machine is 365 days ahead" in ran.json["error"]


def test_a_date_header_older_than_the_results_is_not_believed(settled: Account) -> None:
    settled.sandbox.date = lambda: datetime.now(UTC) - timedelta(days=365)

    assert settled.sync().code == 0
