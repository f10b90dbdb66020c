"""An interrupted full sync is taken up by the next one, and the promise counts from the start of the first.

CEKURA_TEST_KILLS=all interrupts at every request, and kills some 200 processes that read.
"""

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cekura_sync import clock, database
from cekura_sync.diff import scan
from cekura_sync.sandbox import Answer, Fault, Request
from support.harness import PATIENCE, Account, NewAccount, Ran, Record, assert_same
from support.killing import KILL_POINTS, change_the_account, kill_at_request, sync_with_files_up_to
from support.rare import rare

ALL = os.environ.get("CEKURA_TEST_KILLS") == "all"


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is noted in the journal at once."""
    monkeypatch.setattr(scan, "BATCH_ROWS", 1)


TWO_HUNDRED = {"results": 200, "runs_per_result": 1, "in_flight": 2, "page_size_cap": 20}
SIXTY = {"results": 60, "agents": 3, "runs_per_result": 2, "days": 20, "page_size_cap": 10}


@pytest.fixture
def account(new_account: NewAccount) -> Account:
    """Nothing of it has been read yet."""
    return new_account(**TWO_HUNDRED)


@pytest.fixture
def synced(new_synced: NewAccount) -> Account:
    """The same, after its first sync."""
    return new_synced(**TWO_HUNDRED)


PAGES = 15  # of this account
LATE = 11  # a request for one of the last


def interrupt(account: Account, request: int, *options: str, kind: str = "401") -> Ran:
    """A sync that the API stops answering from this request on."""
    account.sandbox.reset_requests()
    account.sandbox.faults = [Fault(kind, first=request)]
    ran = account.sync(*options, "--concurrency", "1")
    account.sandbox.faults = []
    account.sandbox.reset_requests()
    return ran


SMALL_BATCHES = {"CEKURA_TEST_BATCH_ROWS": "1"}


def killed_at_request(account: Account, index: int, batches: dict[str, str] = SMALL_BATCHES) -> bool:
    """A process, killed while the API has this request. False where it was done before."""
    return kill_at_request(account, index, "--full", **batches, **KILL_POINTS) != 0


def journal(account: Account) -> Path:
    return account.home / "journal.duckdb"


def assert_read_anew(account: Account, ran: Ran, reason: str) -> None:
    assert ran.code == 0, ran.err
    assert reason in ran.err
    assert ran.json["pages"] >= PAGES
    account.assert_equals_api()
    assert not journal(account).exists()


@dataclass(frozen=True)
class TakenUp:
    """A first sync that a rate limit cuts short, and the syncs after it. In between, results arrived, went and were edited."""

    cut: Ran
    continued_at: datetime
    seconds: float
    continued: Ran
    quick: Ran
    read: int  # by the first sync, before it was deleted
    unread: int  # by it, before it was deleted
    listed: dict[int, Record]  # when the second sync continued
    stored: dict[int, Record]  # by the second sync
    log: list[datetime]
    journal_is_left: bool
    ends_equal: bool


ARRIVALS = 70


@pytest.fixture(scope="module")
def taken_up(new_account_of_many: NewAccount) -> TakenUp:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "BATCH_ROWS", 1)
        return _take_up(new_account_of_many(**TWO_HUNDRED))


def _take_up(account: Account) -> TakenUp:
    account.sandbox.faults = [Fault("429", first=LATE, retry_after=10**6)]
    cut = account.sync("--concurrency", "1")
    account.sandbox.faults = []
    unread, *_, edited, read = sorted(account.world.results)
    account.world.insert(ARRIVALS)
    account.world.edit(edited, name="edited in between")
    account.world.delete(read)
    account.world.delete(unread)
    listed, before = account.api(), datetime.now(UTC)
    continued = account.run("sync", "--json", "-v")
    seconds = (datetime.now(UTC) - before).total_seconds()
    stored, log = account.stored(), account.query("select started_at from cekura.sync_log")
    is_left = journal(account).exists()
    quick = account.sync()
    return TakenUp(
        cut, before, seconds, continued, quick, read, unread, listed, stored,
        [started for (started,) in log], is_left, account.stored() == account.api(),
    )  # fmt: skip


def test_a_first_sync_that_a_rate_limit_cuts_short_says_how_far_it_came_and_what_is_left(
    taken_up: TakenUp,
) -> None:
    assert taken_up.cut.code == 4
    assert re.search(
        r"limits the rate .* 1\d\d of about 200 results were read\."
        r" The next full sync within a day goes on from there; at this pace the rest takes about ",
        taken_up.cut.err,
    ), taken_up.cut.err


def test_the_next_sync_goes_on_where_a_first_one_was_interrupted(taken_up: TakenUp) -> None:
    ran = taken_up.continued

    assert ran.code == 0, ran.err
    assert re.search(
        r"The reading that began at .* is continued: it had come as far as 1\d\d results", ran.err
    )
    assert ran.json["rows_read"] == 200 + ARRIVALS - 1
    assert datetime.fromisoformat(ran.json["started_at"]) < taken_up.continued_at
    assert taken_up.log == [datetime.fromisoformat(ran.json["started_at"])]
    assert ran.json["seconds"] < taken_up.seconds + 1
    assert not taken_up.journal_is_left


def test_what_came_in_between_is_read_from_the_top_until_it_meets_the_earlier_reading(
    taken_up: TakenUp,
) -> None:
    """Asked for: the top, what was left, and the end twice."""
    assert taken_up.continued.json["pages"] <= PAGES - LATE + 4 + -(-ARRIVALS // 17)
    assert taken_up.stored.keys() - {taken_up.read} == taken_up.listed.keys()


@pytest.mark.long
@pytest.mark.parametrize("how", ["500", "kill", *rare("401", "html")])
def test_a_reading_far_smaller_than_a_batch_is_continued_too(
    account: Account, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(scan, "BATCH_ROWS", 5000)
    if how == "kill":  # where pages come slowly, a batch is closed by the time
        killed_at_request(account, LATE, {"CEKURA_TEST_BATCH_SECONDS": "0"})
    else:
        assert interrupt(account, LATE, kind=how).code == {"401": 3, "500": 4, "html": 5}[how]

    ran = account.run("sync", "--json", "-v")

    assert ran.code == 0, ran.err
    assert re.search("is continued: it had come as far as [0-9]+ results", ran.err)
    account.assert_equals_api()


def test_a_result_that_was_deleted_in_between_is_found_by_the_next_sync(taken_up: TakenUp) -> None:
    deleted = {taken_up.read, taken_up.unread}
    assert deleted & {*taken_up.stored} == {taken_up.read}, "it was there when the sync began"
    assert taken_up.quick.json["deleted"] == 1
    assert taken_up.ends_equal


def test_an_edit_in_between_is_found_as_after_any_sync_that_began_so_early(taken_up: TakenUp) -> None:
    (edited,) = (id_ for id_, row in taken_up.listed.items() if row != taken_up.stored[id_])

    assert taken_up.listed[edited]["name"] == "edited in between"
    assert taken_up.quick.json["updated"] == 1
    assert taken_up.ends_equal


def test_a_disk_that_fills_up_while_a_reading_is_noted_changes_nothing(account: Account) -> None:
    for size in (10_000, 40_000, 100_000, 300_000, 600_000, 900_000) if ALL else (40_000, 300_000):
        ran = sync_with_files_up_to(
            size, account, "--concurrency", "1", CEKURA_TEST_BATCH_ROWS="1", **KILL_POINTS
        )

        assert ran.returncode == 9, (size, ran.stderr)
        assert "File too large. Nothing was changed: fix that and try again." in ran.stderr
        assert not account.warehouse.exists()
    assert account.sync().code == 0
    account.assert_equals_api()


@pytest.mark.parametrize("request_", range(1, 30) if ALL else (7, *rare(16)))
def test_a_sync_interrupted_at_any_request_is_taken_up_without_a_wrong_row(
    new_synced: NewAccount, request_: int
) -> None:
    account = new_synced(**SIXTY)
    change_the_account(account)
    begun = account.api()
    if interrupt(account, request_, "--full").code == 0:
        account.assert_equals_api()
        return
    change_the_account(account)
    interrupt(account, request_ % 5 + 2, "--full")
    change_the_account(account)

    assert_the_next_sync_completes(account, begun)


def assert_the_next_sync_completes(account: Account, begun: dict[int, Record]) -> bool:
    """`begun`: what the API listed at the start of the first sync that did not complete. Returns whether it was continued."""
    ran = account.sync("--full")

    assert ran.code == 0, ran.err
    now, found = account.api(), account.stored()
    quiet = [id_ for id_ in begun if begun[id_] == now.get(id_)]
    assert_same({id_: found[id_] for id_ in quiet}, {id_: now[id_] for id_ in quiet})
    deleted = set(range(min(begun), max(begun))) - {*begun}
    assert not deleted & {*found}
    assert ran.json["results"] == len(found)
    assert account.sync("--full").code == 0
    account.assert_equals_api()
    return "started_at" in ran.json


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
@pytest.mark.parametrize("part", range(4))
def test_processes_killed_one_after_another_while_they_read_leave_no_wrong_row(
    new_synced: NewAccount, part: int
) -> None:
    account = new_synced(**SIXTY)
    kills = continued = 0
    for request in range(1, 19):
        change_the_account(account)
        begun = account.api()
        for index in (request, (request + 5 * part) % 11 + 2, (3 * request + part) % 7 + 2):
            if not killed_at_request(account, index):
                begun = account.api()  # it was done before
            else:
                kills += 1
            change_the_account(account)
        continued += assert_the_next_sync_completes(account, begun)
    print(f"{kills} kills, {continued} of {request} readings continued")
    assert continued > request / 2
    assert kills > 2 * request


@pytest.mark.long
def test_where_the_top_no_longer_meets_the_earlier_reading_everything_is_read_anew(account: Account) -> None:
    interrupt(account, 5)
    for id_ in sorted(account.world.results)[-120:]:
        account.world.delete(id_)

    assert account.sync().code == 0
    account.assert_equals_api()


def test_a_reading_of_a_list_without_an_order_is_not_continued(synced: Account) -> None:
    synced.sandbox.change(order="shuffled_stable")
    interrupt(synced, LATE, "--full")

    ran = synced.sync("--full")

    assert ran.code == 0, ran.err
    assert "started_at" not in ran.json
    synced.assert_equals_api()


def test_a_journal_that_cannot_be_removed_does_not_undo_a_sync_that_is_complete(
    synced: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink
    synced.world.edit(max(synced.world.results), name="edited")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "journal.duckdb" and path.exists():
            raise OSError(errno.EIO, "Input/output error", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        ran = synced.sync("--full")

    assert (ran.code, ran.json["updated"]) == (0, 1)
    synced.assert_equals_api()
    synced.world.edit(max(synced.world.results), name="edited again")
    assert synced.sync("--full").code == 0
    synced.assert_equals_api()
    assert not journal(synced).exists()


def _torn(account: Account) -> None:
    whole = journal(account).read_bytes()
    journal(account).write_bytes(whole[: len(whole) // 2])


def _garbled(account: Account) -> None:
    whole = bytearray(journal(account).read_bytes())
    for place in range(20_000, len(whole), 4096):
        whole[place] ^= 0xFF
    journal(account).write_bytes(whole)


def _garbled_in_one_table(account: Account) -> None:
    """In the rows that wait to be written, which nothing else reads before the list has been continued."""
    with duckdb.connect(str(journal(account))) as con:
        storage = "select max(block_id) from pragma_storage_info('changed')"
        (block,) = con.execute(storage).fetchall()[0]
    whole = bytearray(journal(account).read_bytes())
    whole[3 * 4096 + block * 262_144 + 100] ^= 0xFF  # three headers stand before the blocks
    journal(account).write_bytes(whole)


def _of_another_format(account: Account) -> None:
    with duckdb.connect(str(journal(account))) as con:
        con.execute("update begun set format = 0")


def _empty(account: Account) -> None:
    journal(account).write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(_torn, "damaged", marks=pytest.mark.long),
        pytest.param(_garbled, "damaged", marks=pytest.mark.long),
        (_garbled_in_one_table, "damaged"),
        pytest.param(_of_another_format, "another version", marks=pytest.mark.long),
        pytest.param(_empty, "damaged", marks=pytest.mark.long),
    ],
)
def test_a_journal_that_does_not_fit_is_dropped_with_a_word(
    account: Account, change: Callable[[Account], None], reason: str
) -> None:
    interrupt(account, LATE)

    change(account)

    assert_read_anew(account, account.sync(), reason)


def test_a_journal_of_another_key_is_dropped_with_a_word(synced: Account) -> None:
    interrupt(synced, LATE, "--full")
    synced.sandbox.change(key="another-key")
    synced.sandbox.key = "another-key"

    assert_read_anew(synced, synced.sync("--full"), "other key")


def test_a_sync_that_read_nothing_leaves_nothing_to_warn_of(account: Account) -> None:
    assert interrupt(account, 1).code == 3

    ran = account.sync("--profiles")

    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(("--search", "e"), "other filters", marks=pytest.mark.long),
        (("--profiles",), "other rules for personal data"),
    ],
)
def test_a_journal_of_other_settings_is_dropped_with_a_word(
    synced: Account, options: tuple[str, ...], reason: str
) -> None:
    interrupt(synced, LATE, "--full", *options)

    assert_read_anew(synced, synced.sync("--full"), reason)


@pytest.mark.long
def test_pages_of_another_size_continue_a_reading(synced: Account) -> None:
    interrupt(synced, LATE, "--full")
    synced.sandbox.change(page_size_cap=15)

    ran = synced.sync("--full", "--page-size", "30")

    assert ran.json["pages"] < PAGES - 4
    synced.assert_equals_api()


def test_a_journal_is_too_old_after_a_day(synced: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(synced, LATE, "--full")

    tomorrow = datetime.now(UTC) + timedelta(hours=24)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    synced.sandbox.date = lambda: tomorrow

    assert_read_anew(synced, synced.sync("--full"), "too old")


def test_a_full_sync_that_was_asked_for_is_continued_as_one_when_the_next_is_due(
    synced: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = synced
    begun = datetime.now(UTC)
    interrupt(account, LATE, "--full")
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(hours=23, minutes=50))
    account.sandbox.date = lambda: clock.now()

    ran = account.sync("--full-every", "23h")

    assert (ran.code, ran.json["mode"]) == (0, "full")
    assert ran.json["pages"] <= PAGES - LATE + 4
    assert datetime.fromisoformat(ran.json["started_at"]) - begun < timedelta(minutes=10)
    account.assert_equals_api()


def test_what_changed_the_warehouse_in_between_ends_the_journal(synced: Account) -> None:
    account = synced
    interrupt(account, LATE, "--full")
    account.world.insert(2)
    left = journal(account).read_bytes()
    assert account.sync().json["mode"] == "quick"
    assert not journal(account).exists(), "the sync that completes removes it"
    journal(account).write_bytes(left)  # as if that sync had been killed before it could

    assert_read_anew(account, account.sync("--full"), "other state of the warehouse")


def test_a_journal_holds_nothing_that_would_not_be_stored_and_only_its_owner_may_read_it(
    account: Account,
) -> None:
    for id_ in sorted(account.world.results)[-30:]:
        account.world.edit(id_, name=f"Name {id_}")

    interrupt(account, LATE)

    held = b"".join(path.read_bytes() for path in account.home.iterdir() if path.is_file())
    assert b"Name " in held, "what would be stored is there"
    assert b"customer_name" not in held
    assert b"account_number" not in held
    assert account.sandbox.key.encode() not in held
    assert stat.S_IMODE(journal(account).stat().st_mode) == 0o600


def test_erase_removes_the_journal_even_before_there_is_a_warehouse(account: Account) -> None:
    interrupt(account, LATE)

    ran = account.run("erase", "--result", str(max(account.world.results)))

    assert ran.code == 9, ran.err
    assert "What an interrupted sync had read is removed" in ran.err
    assert not journal(account).exists()


@pytest.mark.long
def test_erase_leaves_the_journal_of_a_sync_that_runs(account: Account) -> None:
    interrupt(account, LATE)
    codes = []

    def meanwhile(_: Request) -> None:
        codes.append(account.run("erase", "--result", "1").code)
        assert journal(account).exists()

    account.sandbox.intercept = meanwhile

    assert account.sync().code == 0
    assert {*codes} == {8}


@pytest.mark.parametrize("kind", ["html", "error-object"])
def test_what_casts_doubt_on_a_reading_ends_its_journal(account: Account, kind: str) -> None:
    account.sandbox.faults = [Fault(kind, first=LATE)]

    assert account.sync("--concurrency", "1").code == 5
    # A proxy's page says nothing about the rows before it.
    assert journal(account).exists() == (kind == "html")


def test_a_dry_run_neither_writes_a_journal_nor_uses_one(synced: Account) -> None:
    interrupt(synced, LATE, "--full", "--dry-run")
    assert not journal(synced).exists()
    interrupt(synced, LATE, "--full")
    left = journal(synced).read_bytes()

    assert synced.sync("--full", "--dry-run").json["pages"] >= PAGES
    assert journal(synced).read_bytes() == left


@pytest.mark.parametrize("point", [*rare("after extract"), "before copy"])
def test_a_sync_killed_while_it_writes_is_taken_up_too(synced: Account, point: str) -> None:
    edit_at_both_ends(synced)
    process = synced.spawn("--full", CEKURA_TEST_POINT=point, **KILL_POINTS)
    process.communicate(timeout=PATIENCE)
    began = datetime.now(UTC)

    ran = synced.sync("--full")

    assert ran.json["pages"] <= 5
    assert datetime.fromisoformat(ran.json["started_at"]) < began
    synced.assert_equals_api()


def edit_at_both_ends(account: Account) -> None:
    for id_ in (min(account.world.results), max(account.world.results)):
        account.world.touchless_edit(id_, name="edited")


def test_a_row_that_was_found_by_its_address_is_read_again_where_the_list_shows_it_now(
    synced: Account,
) -> None:
    account = synced
    newest = max(account.world.results)
    account.world.edit(newest, name="first")

    def hide(_: Request, payload: dict[str, Any]) -> None:
        if "results" in payload:
            payload["results"] = [row for row in payload["results"] if row["id"] != newest]

    account.sandbox.rewrite = hide
    process = account.spawn("--full", CEKURA_TEST_POINT="after extract", **KILL_POINTS)
    process.communicate(timeout=PATIENCE)
    account.sandbox.rewrite = None
    account.world.edit(newest, name="second")

    ran = account.sync("--full")

    assert ran.json["pages"] <= 5, "the reading is continued"
    assert ran.json["updated"] == 1
    account.assert_equals_api()


def test_a_sync_killed_before_it_has_compared_what_it_read_reads_that_again(synced: Account) -> None:
    edit_at_both_ends(synced)
    process = synced.spawn("--full", "--concurrency", "1", CEKURA_TEST_POINT="before take", **KILL_POINTS)
    process.communicate(timeout=PATIENCE)
    assert journal(synced).exists()

    assert synced.sync("--full").code == 0
    synced.assert_equals_api()


@pytest.mark.long
def test_what_cannot_be_written_in_little_memory_gets_more(
    quick: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._WRITING, "memory_limit", "1MB")

    assert quick.sync().code == 0
    quick.assert_equals_api()
    quick.world.insert(3)
    assert quick.sync().json["inserted"] == 3
    quick.assert_equals_api()


def has_noted(account: Account, folder: Path) -> bool:
    """Whether a kill at this moment would leave something to go on with."""
    for file in (journal(account).name, f"{journal(account).name}.wal"):
        shutil.copyfile(account.home / file, folder / file)
    with duckdb.connect(str(folder / journal(account).name)) as con:
        return con.execute("select count(*) from states").fetchall() > [(0,)]


def test_a_killed_process_leaves_a_journal_that_the_next_one_continues(
    synced: Account, tmp_path: Path
) -> None:
    edit_at_both_ends(synced)

    def kill(request: Request) -> Answer | None:
        if request.index != LATE:
            return None
        while not has_noted(synced, tmp_path):
            time.sleep(0.05)
        process.kill()
        return Answer(disconnect=True)

    synced.sandbox.intercept = kill
    process = synced.spawn("--full", "--concurrency", "1", CEKURA_TEST_BATCH_ROWS="1", **KILL_POINTS)
    process.communicate(timeout=PATIENCE)
    synced.sandbox.intercept = None

    ran = synced.sync("--full")

    assert ran.code == 0, ran.err
    assert ran.json["pages"] <= PAGES - LATE + 4
    synced.assert_equals_api()
