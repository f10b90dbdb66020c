"""What a reading may not believe: an order seen on one page, a filter, a place where a run was, a list of nothing but flaws."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from support.harness import Account, NewAccount, Ran, Record
from support.rare import rare


@pytest.mark.parametrize("order", [*rare("id_desc"), "updated_desc"])
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


@pytest.mark.long
def test_rows_that_are_not_stored_for_a_reason_are_no_doubt_about_the_count(new_synced: NewAccount) -> None:
    account = new_synced(results=80, in_flight=0, page_size_cap=40)
    world = account.world
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


@pytest.mark.long
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


@dataclass(frozen=True)
class TwoFilters:
    """Two filters that share a warehouse: two old rows in flight, of both, and the list of one after they have ended."""

    finished: int
    deleted: int
    ran: Ran
    found: dict[int, Record]


@pytest.fixture(scope="module")
def two_filters(new_account_of_many: NewAccount) -> TwoFilters:
    account = new_account_of_many(results=60, in_flight=0, page_size_cap=12)
    finished, deleted, *others = sorted(account.world.results)
    for id_ in others[:30]:
        account.world.edit(id_, name="alpha")
    for id_ in (finished, deleted):
        account.world.edit(id_, name="alpha", status="running")
    assert account.sync("--search", "smoke").code == 0
    assert account.sync("--search", "alpha").code == 0
    account.world.finish([finished])
    account.world.delete(deleted)
    return TwoFilters(finished, deleted, account.sync("--search", "alpha"), account.stored())


@pytest.mark.long
def test_a_row_in_flight_is_followed_in_each_of_two_filters_that_share_a_warehouse(
    two_filters: TwoFilters,
) -> None:
    ran = two_filters.ran

    assert (ran.json["mode"], ran.json["pages"]) == ("quick", 1), "the list is not read down to it"
    assert two_filters.found[two_filters.finished]["status"] == "completed"


def test_a_deleted_row_in_flight_is_left_to_the_scope_that_can_judge_it(two_filters: TwoFilters) -> None:
    assert (two_filters.ran.code, two_filters.ran.json["deleted"]) == (0, 0)
    assert two_filters.deleted in two_filters.found


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


@dataclass(frozen=True)
class SharedRuns:
    """Runs that two results list, until the newer one has them no more. By run: the older and the newer result."""

    pairs: dict[int, tuple[int, int]]  # one for each of ENDS, and one that stays
    added_to_the_older: int  # one more run: the older result has come to list it
    newer: int  # which listed that first
    aged: int  # one more: its newer result, of a higher id and created long ago, is kept by the vendor no longer
    older: int
    old: int
    first_owners: dict[int, int]
    later: list[Ran]
    owners: dict[int, int]
    aged_out: list[tuple[int]]
    last: Ran


@pytest.fixture(scope="module")
def shared_runs(new_account_of_many: NewAccount) -> SharedRuns:
    account = new_account_of_many(results=30, in_flight=0, days=20)
    world, ids = account.world, sorted(account.world.results)
    pairs = [*zip(ids[-14:-2:2], ids[-13:-2:2], strict=True)]
    shared = {world.results[older]["runs"][0]["id"]: (older, newer) for older, newer in pairs}
    added = world.results[ids[-1]]["runs"][0]
    (old,) = world.insert(created_at=datetime.now(UTC) - timedelta(days=100))
    aged = world.results[ids[0]]["runs"][0]
    assert account.sync().code == 0
    for older, newer in pairs:
        world.edit(newer, runs=[*world.results[newer]["runs"], world.results[older]["runs"][0]])
    world.edit(ids[-2], runs=[*world.results[ids[-2]]["runs"], added])
    world.edit(old, runs=[aged])
    runs = [*shared, added["id"], aged["id"]]
    assert account.sync("--full").code == 0
    later = [account.sync("--full") for _ in range(2)]
    first_owners = _owners(account, runs)
    for end, (older, newer) in zip(ENDS, pairs, strict=False):
        end(account, older, newer)
    world.delete(old)
    assert account.sync("--full").code == 0
    aged_out = account.query("select id from cekura.results where aged_out_at is not null")
    owners, last = _owners(account, runs), account.sync("--full")
    return SharedRuns(
        shared, added["id"], ids[-1], aged["id"], ids[0], old, first_owners, later, owners, aged_out, last
    )


def test_a_run_that_two_results_list_belongs_to_the_newer_one_and_is_settled_once(
    shared_runs: SharedRuns,
) -> None:
    assert shared_runs.first_owners[shared_runs.added_to_the_older] == shared_runs.newer
    assert [ran.json["changed"] for ran in shared_runs.later] == [False, False]
    assert shared_runs.owners[shared_runs.added_to_the_older] == shared_runs.newer


def test_a_run_of_two_results_goes_back_to_the_older_one_when_the_newer_one_has_it_no_more(
    shared_runs: SharedRuns,
) -> None:
    pairs = shared_runs.pairs
    *ended, kept = pairs

    assert len(ended) == len(ENDS)
    assert {run: shared_runs.first_owners[run] for run in pairs} == {
        run: newer for run, (_, newer) in pairs.items()
    }
    assert {run: shared_runs.owners[run] for run in pairs} == {run: pairs[run][0] for run in ended} | {
        kept: pairs[kept][1]
    }
    assert shared_runs.last.json["updated"] == 0


def test_a_run_of_two_results_goes_back_to_the_older_one_when_the_vendor_keeps_the_newer_one_no_longer(
    shared_runs: SharedRuns,
) -> None:
    assert shared_runs.first_owners[shared_runs.aged] == shared_runs.old
    assert shared_runs.owners[shared_runs.aged] == shared_runs.older
    assert shared_runs.aged_out == [(shared_runs.old,)]


@dataclass(frozen=True)
class Flawed:
    """Thirty results of which 16 cannot be taken, then 15, then none, because two are listed no more and the others are mended."""

    before: dict[int, Record]
    most: Ran
    after_most: dict[int, Record]
    half: Ran
    none: Ran
    rejected: list[tuple[int]]


@pytest.fixture(scope="module")
def flawed(new_account_of_many: NewAccount) -> Flawed:
    account = new_account_of_many(results=30, in_flight=0)
    world = account.world
    assert account.sync().code == 0
    before = account.stored()
    counts = {id_: world.results[id_]["total_runs_count"] for id_ in sorted(world.results)[:16]}
    for id_ in counts:
        world.touchless_edit(id_, total_runs_count="many")
    most, after_most = account.sync("--full"), account.stored()
    mended, *deleted = [*counts][:3]
    world.touchless_edit(mended, total_runs_count=counts[mended])
    for id_, raw in zip(
        world.insert(2), (b'{"name": "no id"}', b'{"id": 99999999, "created_at": "soon"}'), strict=True
    ):
        world.set_raw(id_, raw)
        world.delete(deleted.pop())
    half = account.sync("--full")
    for id_ in counts.keys() & world.results.keys():
        world.touchless_edit(id_, total_runs_count=counts[id_])
    for id_ in sorted(world.results)[-2:]:
        world.delete(id_)
    none = account.sync("--full")
    rejected = account.query("select count(*) from cekura.rejected_rows")
    return Flawed(before, most, after_most, half, none, rejected)


def test_a_list_most_of_whose_rows_cannot_be_taken_is_refused(flawed: Flawed) -> None:
    assert flawed.most.code == 5, flawed.most.err
    assert "16 of 30 results cannot be stored" in flawed.most.json["error"]
    assert "total_runs_count" in flawed.most.json["error"]
    assert flawed.after_most == flawed.before


def test_a_list_half_of_whose_rows_cannot_be_taken_is_taken(flawed: Flawed) -> None:
    assert (flawed.half.code, flawed.half.json["rejected"]) == (0, 15), flawed.half.err


def test_a_rejected_row_that_is_listed_no_more_ends_with_the_reading_that_shows_it(flawed: Flawed) -> None:
    assert flawed.none.json["rejected"] == 0
    assert flawed.rejected == [(0,)]


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
