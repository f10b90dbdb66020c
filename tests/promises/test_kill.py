"""Real processes, killed: whatever the moment, a reader finds the warehouse of before or of after, and the next sync mends.

Where a process dies is decided outside of it, by kill_points/sitecustomize.py. CEKURA_TEST_KILLS=all kills at every
change to every file, at every statement and at random times: some hundreds of kills, for tens of minutes.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cekura_sync.sandbox import Answer, Request
from support import details_reader
from support.harness import HANG, LONG, PATIENCE, Account, Record
from support.killing import KILL_POINTS, change_the_account, kill_at_request
from support.processes import Started
from support.rare import rare

ALL = os.environ.get("CEKURA_TEST_KILLS") == "all"
OWN_FILES = {"base.duckdb", "commit.json", "last.json", "lock", "pending_log.jsonl"}
PUBLISH = "file:os.rename .warehouse.duckdb.new"

BEFORE_THE_SWAP = [
    'statement:DELETE FROM "cekura"."runs"',  # between results and their children
    "before copy",  # of the file that is to be published
    PUBLISH,  # the record of the swap has been written
]
AFTER_THE_SWAP = [
    "file:os.rename work.duckdb",  # between the two replaces
    "after commit",  # before the log
]
if ALL:
    BEFORE_THE_SWAP += [
        "file:os.mkdir dlt",  # the base has been copied
        "after load",
        "file:os.mkdir scratch",
        "file:shutil.copyfile work.duckdb",
        "before extract",
        "after extract",
        "after normalize",
        'statement:INSERT INTO "cekura_staging"."runs"',
        'statement:DELETE FROM "cekura"."results"',
        'statement:DELETE FROM "cekura"."result_scenarios"',
        'statement:INSERT INTO "cekura"."_dlt_loads"',
        "after check",  # before the checkpoint
        "after copy",
        "file:os.rename commit.json.new",
    ]
    AFTER_THE_SWAP += [
        "file:os.remove pending_log.jsonl",
        "file:open last.json.new",
        "file:os.rename last.json.new",
    ]


@pytest.fixture
def account(new_synced: Callable[..., Account]) -> Account:
    """Sixty results in small pages, synced once."""
    return new_synced(results=60, agents=3, runs_per_result=2, days=20, page_size_cap=20)


def spawn_until(account: Account, point: str, *options: str, **env: str) -> Started:
    return account.spawn(*options, CEKURA_TEST_POINT=point, **KILL_POINTS, **env)


def killed_at(account: Account, point: str, *options: str) -> int:
    process = spawn_until(account, point, *options)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, -signal.SIGKILL), f"{point}: {out} {err}"
    return process.returncode


def read(account: Account) -> dict[int, Record]:
    """What a reader finds, once more as the views tell it."""
    rows = account.stored()
    if rows:
        assert account.query("select live_results from analytics.sync_status") == [(len(rows),)]
    return rows


def sync_from_now(account: Account, *options: str) -> None:
    """A sync that goes on with what a killed one had read counts from that one's start; then another one follows it."""
    now = datetime.now(UTC)
    ran = account.sync(*options)
    assert ran.code == 0, ran.err
    if "started_at" in ran.json:
        assert datetime.fromisoformat(ran.json["started_at"]) < now
        assert account.sync(*options).code == 0


def the_next_sync_mends(account: Account, point: object, *options: str) -> None:
    sync_from_now(account, "--full", *options)
    account.assert_equals_api()
    twice = "select scope, started_at from cekura.sync_log group by all having count(*) > 1"
    assert account.query(twice) == [], f"{point}: a sync is logged twice"
    left = {path.name for path in account.home.iterdir()} - OWN_FILES
    beside = {path.name for path in account.warehouse.parent.iterdir()}
    assert not left, f"{point} leaves {left}"
    assert beside == {account.warehouse.name, account.home.name}, f"{point} leaves {beside}"


def mends_in_the_long_run(account: Account, point: object) -> None:
    """Otherwise the next process that is killed begins with what the last one left, and only the last is mended."""
    if ALL:
        the_next_sync_mends(account, point)


def test_a_sync_killed_at_any_request_has_not_happened(account: Account) -> None:
    for index in range(1, 30, 1 if ALL else 6):
        change_the_account(account)
        before = account.stored()
        if kill_at_request(account, index) == 0:
            break
        assert read(account) == before, f"request {index}"
        mends_in_the_long_run(account, f"request {index}")
    the_next_sync_mends(account, "the last")
    assert index > 6, "the sweep was to see pages, the end of the list, and results by id"


def test_a_sync_killed_before_the_swap_has_not_happened(account: Account) -> None:
    for point in BEFORE_THE_SWAP:
        change_the_account(account)
        before = account.stored()

        assert killed_at(account, point, "--full") == -signal.SIGKILL, f"{point} was never reached"
        assert read(account) == before, point
        mends_in_the_long_run(account, point)
    the_next_sync_mends(account, BEFORE_THE_SWAP)


def test_a_sync_killed_after_the_published_file_was_replaced_has_happened(account: Account) -> None:
    for point in AFTER_THE_SWAP:
        assert account.sync("--full").code == 0
        assert account.sync().json["changed"] is False, "one that waits to be logged"
        change_the_account(account)

        assert killed_at(account, point, "--full") == -signal.SIGKILL, f"{point} was never reached"
        account.assert_equals_api()
        mends_in_the_long_run(account, point)
    the_next_sync_mends(account, AFTER_THE_SWAP)


@pytest.mark.parametrize("point", [*rare(PUBLISH), "file:os.rename work.duckdb"])
def test_a_first_sync_that_is_killed_leaves_nothing_or_everything(
    new_account: Callable[..., Account], point: str
) -> None:
    account = new_account(results=30, page_size_cap=20)

    assert killed_at(account, point) == -signal.SIGKILL
    assert read(account) in ({}, account.api())
    the_next_sync_mends(account, point)


@pytest.mark.long
def test_a_kill_before_the_swap_followed_by_a_kill_while_mending_takes_nothing_back(account: Account) -> None:
    for first, second in [
        ("file:os.rename work.duckdb", "file:os.rename work.duckdb"),
        (PUBLISH, "file:os.mkdir scratch"),
    ]:
        before = account.stored()
        change_the_account(account)
        seen = [before, account.api()]
        killed_at(account, first, "--full")
        between = read(account)
        assert between in seen
        change_the_account(account)
        killed_at(account, second, "--full")
        # What readers have seen once is never taken back.
        assert read(account) in (between, account.api()), f"{first}, then {second}"
        mends_in_the_long_run(account, f"{first}, then {second}")
    the_next_sync_mends(account, "two kills")


def test_what_readers_saw_before_a_kill_is_not_taken_back_by_a_quick_sync(account: Account) -> None:
    account.world.touchless_edit(min(account.world.results), name="only a full sync sees this")
    killed_at(account, "file:os.rename work.duckdb", "--full")
    account.assert_equals_api()
    account.world.insert(2)

    ran = account.sync("--full-every", "0", "--lookback", "1h")

    assert (ran.json["inserted"], ran.json["pages"]) == (2, 1)
    account.assert_equals_api()


def test_a_failing_sync_after_a_kill_changes_nothing(account: Account) -> None:
    for point in (PUBLISH, "file:os.rename work.duckdb") if ALL else (PUBLISH,):
        change_the_account(account)
        killed_at(account, point, "--full")
        seen = read(account)

        refused = account.sync("--full", CEKURA_API_KEY="another-key")

        assert refused.code == 3
        assert read(account) == seen
        the_next_sync_mends(account, point)


@pytest.mark.long
def test_a_killed_sync_does_not_count_as_done(account: Account) -> None:
    """Neither its watermark nor its being full may outlive it."""
    change_the_account(account)
    account.world.touchless_edit(min(account.world.results), name="only a full sync sees this")
    killed_at(account, "after copy", "--full")

    assert account.sync("--full-every", "0").json["mode"] == "quick"
    assert account.query("select count(*) from cekura.sync_log where mode = 'full'") == [(1,)]
    assert account.sync("--full").json["updated"] >= 1
    account.assert_equals_api()


# -- with run details ---------------------------------------------------------------------------------------------

DETAILS = ("--full", "--details")
IN_DETAILS = [
    "file:os.rename work.duckdb",
    'statement:DELETE FROM "cekura"."run_metrics"',
]
if ALL:
    IN_DETAILS += [
        "after load",
        PUBLISH,
        "after extract",
        'statement:INSERT INTO "cekura_staging"."run_details"',
        'statement:DELETE FROM "cekura"."details_read"',
        'statement:DELETE FROM "cekura"."failed_reasons"',
        "after check",
        "after commit",
    ]


def details(account: Account) -> list[list[tuple[object, ...]]]:
    """What a reader finds of them, of live and finished results: of others, the last good ones stay."""
    live = f"select id from cekura.results where deleted_at is null and status in {details_reader.TERMINAL}"
    return [
        sorted(account.query(f"select {columns} from cekura.{table} where result_id in ({live})"), key=repr)
        for table, columns in details_reader.COLUMNS.items()
        if table != "transcript_turns"
    ]


def details_of_the_api(account: Account) -> list[list[tuple[object, ...]]]:
    tables = [table for table in details_reader.COLUMNS if table != "transcript_turns"]
    return [details_reader.rows(account.world, table) for table in tables]


@pytest.mark.long
def test_details_of_a_killed_sync_are_all_there_or_none_and_the_next_sync_brings_the_rest(
    account: Account,
) -> None:
    for point in IN_DETAILS:
        change_the_account(account)
        before = (account.stored(), details(account))

        assert killed_at(account, point, *DETAILS) == -signal.SIGKILL, f"{point} was never reached"
        found = (read(account), details(account))
        assert found in (before, (account.api(), details_of_the_api(account))), point
        if point == IN_DETAILS[-1] or ALL:
            sync_from_now(account, *DETAILS)
            assert details(account) == details_of_the_api(account), point
            account.assert_equals_api()


@pytest.mark.long
def test_a_sync_killed_while_details_are_read_has_not_happened(account: Account) -> None:
    for index in (12, 40) if not ALL else range(8, 60, 4):
        change_the_account(account)
        before = account.warehouse.read_bytes()

        assert kill_at_request(account, index, *DETAILS) == -signal.SIGKILL
        assert account.warehouse.read_bytes() == before, f"request {index}"
    the_next_sync_mends(account, "the details", "--details")
    assert details(account) == details_of_the_api(account)


# -- signals ------------------------------------------------------------------------------------------------------

STOPPED = {signal.SIGINT: 130, signal.SIGTERM: 143}


def assert_stopped(process: Started, number: signal.Signals) -> None:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == STOPPED[number], err
    answer = json.loads(out)
    assert (answer["outcome"], answer["exit_code"]) == ("failed", STOPPED[number])
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "index"), [(signal.SIGINT, 3), pytest.param(signal.SIGTERM, 1, marks=pytest.mark.long)]
)
def test_a_signal_while_answers_are_awaited_stops_the_sync_at_once(
    account: Account, number: signal.Signals, index: int
) -> None:
    change_the_account(account)
    before = account.warehouse.read_bytes()
    account.sandbox.reset_requests()
    asked = threading.Event()

    def hang(request: Request) -> Answer | None:
        if request.index != index:
            return None
        asked.set()
        return Answer(delay=HANG)

    account.sandbox.intercept = hang
    process = account.spawn("--full")
    assert asked.wait(PATIENCE)
    process.send_signal(number)

    assert_stopped(process, number)
    assert account.warehouse.read_bytes() == before
    account.sandbox.intercept = None
    the_next_sync_mends(account, f"{number!r} at request {index}")


WHILE_IT_WRITES = [
    (signal.SIGINT, 'statement:DELETE FROM "cekura"."runs"', "after load"),
    (signal.SIGTERM, "before copy", "after copy"),
    *([(signal.SIGTERM, "after extract", "after normalize")] if LONG else []),
]


@pytest.mark.long
def test_a_signal_while_the_sync_writes_stops_it_before_its_next_step(
    account: Account, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for number, point, later in WHILE_IT_WRITES:
        change_the_account(account)
        before = account.warehouse.read_bytes()
        record = tmp_path_factory.mktemp("record") / "points"

        process = spawn_until(
            account, point, "--full", CEKURA_TEST_SIGNAL=str(number.value), CEKURA_TEST_RECORD=str(record)
        )
        assert_stopped(process, number)
        passed = record.read_text()
        assert point in passed
        assert later not in passed
        assert account.warehouse.read_bytes() == before
    the_next_sync_mends(account, WHILE_IT_WRITES)


def test_a_signal_that_comes_too_late_to_change_nothing_is_not_heeded(account: Account) -> None:
    change_the_account(account)

    process = spawn_until(account, PUBLISH, "--full", CEKURA_TEST_SIGNAL=str(signal.SIGTERM.value))
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, err
    assert json.loads(out)["outcome"] == "ok"
    account.assert_equals_api()


# -- the long run -------------------------------------------------------------------------------------------------


def sweep(account: Account, points: list[str]) -> None:
    kills = 0
    for point in points:
        change_the_account(account)
        before = account.stored()
        kills += killed_at(account, point, "--full") != 0
        assert read(account) in (before, account.api()), point
        the_next_sync_mends(account, point)
    print(f"{kills} kills")


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
@pytest.mark.parametrize("part", range(4))
def test_a_sync_killed_before_any_change_to_a_file_has_happened_entirely_or_not(
    account: Account, part: int
) -> None:
    sweep(account, [f"file:{number}" for number in range(1 + part, 220, 4)])


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
def test_a_sync_killed_before_any_statement_has_happened_entirely_or_not(account: Account) -> None:
    sweep(account, [f"statement:{number}" for number in range(1, 36)])


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
def test_a_sync_killed_at_a_random_time_has_happened_entirely_or_not(account: Account) -> None:
    luck = random.Random()
    for _ in range(60):
        change_the_account(account)
        before, delay = account.stored(), luck.uniform(0.2, 3)
        process = account.spawn("--full")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.kill()
        process.communicate()
        assert read(account) in (before, account.api()), delay
        the_next_sync_mends(account, delay)
