"""A sync into PostgreSQL that is cut short, at any point and in any way, has happened entirely or not at all.

CEKURA_TEST_KILLS=all kills at every statement that the server gets, and drops the connections at every fifth.
"""

import os
import signal
from pathlib import Path

import pytest

from cekura_sync.sandbox import Answer, Request
from support.harness import PATIENCE
from support.killing import change_the_account
from support.shared import Shared

ALL = os.environ.get("CEKURA_TEST_KILLS") == "all"
OPTIONS = ("--full", "--details", "--transcripts") if ALL else ("--full",)
MERGING = 'statement:DELETE FROM "cekura"."runs"'
LOGGING = "statement:insert into cekura.sync_log"
LOADING = 'statement:INSERT INTO "cekura_staging_'
COMMITTING = "statement:commit of the sync"
BEFORE_THE_COMMIT = [COMMITTING]
AFTER_THE_COMMIT = [f"after {COMMITTING}"]
CUTS = [(MERGING, 9)]
if ALL:
    # After "load" dlt counts its package as complete.
    BEFORE_THE_COMMIT += ["after extract", LOADING, "after load", MERGING, LOGGING]
    CUTS += [(LOADING, 9), (COMMITTING, 9), (AFTER_THE_COMMIT[0], 0)]
PARTS = 4
MOST_STATEMENTS = 300


@pytest.fixture
def synced(shared: Shared) -> Shared:
    shared.begin_synced(*OPTIONS)
    return shared


def cut_short(shared: Shared, point: str, **env: str) -> int:
    process = shared.spawn_until(point, *OPTIONS, **env)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, -signal.SIGKILL, 9), f"{point}: {out} {err}"
    assert "Traceback" not in err, f"{point}: {err}"
    return process.returncode


def seen(shared: Shared) -> tuple[object, ...]:
    """What readers find, views included."""
    rows = shared.stored()
    if rows:
        assert shared.query("select live_results from analytics.sync_status") == [(len(rows),)]
    return rows, shared.details() if ALL else None, shared.log()


def assert_entirely_or_not(shared: Shared, before: tuple[object, ...], point: str) -> bool:
    """And the next sync brings the rest, in a quick way: nothing there is doubted. Returns which it was."""
    now = seen(shared)
    happened = now[2] != before[2]
    if happened:
        shared.assert_equals_api()
        assert_details(shared, point)
    else:
        assert now == before, point
    ran = shared.sync(*OPTIONS)
    assert ran.code == 0, f"{point}: {ran.err}"
    shared.assert_equals_api()
    assert_details(shared, point)
    shared.assert_nothing_is_left_over()
    return happened


def assert_details(shared: Shared, point: str) -> None:
    if ALL:
        assert shared.details() == shared.details_of_the_api(), point


def test_a_sync_that_is_killed_has_happened_entirely_or_not_at_all(synced: Shared) -> None:
    for point in (*BEFORE_THE_COMMIT, *AFTER_THE_COMMIT):
        change_the_account(synced.account)
        before = seen(synced)

        assert cut_short(synced, point) == -signal.SIGKILL, f"{point} was never reached"
        assert assert_entirely_or_not(synced, before, point) == (point in AFTER_THE_COMMIT), point


def test_a_sync_whose_connections_are_lost_ends_with_exit_9_and_has_not_happened(synced: Shared) -> None:
    """Unless it was committed before: then nothing that fails afterwards counts."""
    for point, code in CUTS:
        change_the_account(synced.account)
        before = seen(synced)

        assert cut_short(synced, point, CEKURA_TEST_DISCONNECT="1") == code, point
        assert assert_entirely_or_not(synced, before, point) == (code == 0)


def test_a_first_sync_that_is_killed_leaves_nothing_or_everything(shared: Shared) -> None:
    for point in (*([MERGING, "after load"] if ALL else []), LOGGING):
        assert cut_short(shared, point) == -signal.SIGKILL
        assert shared.stored() == {}

    assert shared.sync(*OPTIONS).code == 0
    shared.assert_equals_api()
    shared.assert_nothing_is_left_over()


def test_a_sync_that_has_lost_its_lock_to_another_writes_nothing(synced: Shared) -> None:
    """As after a cut of the network that the one does not notice before the other is done."""
    others: list[int] = []

    def meanwhile(request: Request) -> Answer | None:
        synced.account.sandbox.intercept = None
        synced.disconnect()
        change_the_account(synced.account)
        process = synced.spawn(*OPTIONS)
        process.communicate(timeout=PATIENCE)
        others.append(process.returncode)
        change_the_account(synced.account)
        return None

    change_the_account(synced.account)
    synced.account.sandbox.intercept = meanwhile
    ran = synced.sync(*OPTIONS)

    assert (others, ran.code) == ([0], 9)
    assert synced.log() == [("full", 1), ("full", 2)]
    assert synced.sync(*OPTIONS).code == 0
    synced.assert_equals_api()


def test_a_sync_that_another_has_overtaken_writes_nothing(synced: Shared) -> None:
    """As where a connection pooler has let two of them share the session that holds the lock."""

    def meanwhile(request: Request) -> Answer | None:
        synced.account.sandbox.intercept = None
        synced.execute(
            "insert into cekura.sync_log (mode, scope, started_at, finished_at, generation)"
            " select mode, scope, now(), now(), 2 from cekura.sync_log"
        )
        return None

    change_the_account(synced.account)
    before = synced.stored()
    synced.account.sandbox.intercept = meanwhile
    ran = synced.sync(*OPTIONS)

    assert ran.code == 8
    assert "was quicker" in ran.json["error"]
    assert synced.stored() == before


# -- the long run -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_sync_killed_before_any_statement_has_happened_entirely_or_not(synced: Shared, part: int) -> None:
    kills = 0
    for number in range(1 + part, MOST_STATEMENTS, PARTS):
        change_the_account(synced.account)
        before = seen(synced)
        killed = cut_short(synced, f"statement:{number}") != 0
        assert_entirely_or_not(synced, before, f"statement:{number}")
        if not killed:
            break
        kills += 1
    print(f"{kills} kills")


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
def test_connections_lost_before_any_statement_have_the_sync_happen_entirely_or_not(synced: Shared) -> None:
    cuts = 0
    for number in range(1, MOST_STATEMENTS, 5):
        change_the_account(synced.account)
        before = seen(synced)
        code = cut_short(synced, f"statement:{number}", CEKURA_TEST_DISCONNECT="1")
        assert (code == 0) == assert_entirely_or_not(synced, before, f"statement:{number}")
        cuts += code != 0
    print(f"{cuts} cuts")


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all")
@pytest.mark.parametrize(("point", "code"), [(LOADING, 143), (MERGING, 143), (COMMITTING, 0)])
def test_a_signal_stops_it_and_one_that_comes_too_late_is_not_heeded(
    synced: Shared, point: str, code: int
) -> None:
    change_the_account(synced.account)
    before = seen(synced)
    process = synced.spawn_until(point, *OPTIONS, CEKURA_TEST_SIGNAL=str(signal.SIGTERM.value))
    _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == code, err
    assert assert_entirely_or_not(synced, before, point) == (code == 0)


def test_a_killed_sync_leaves_nothing_in_plain_text_and_only_its_own_schemas_are_dropped(
    synced: Shared, tmp_path: Path
) -> None:
    theirs = "cekura_staging_0123abcd"
    synced.execute(f"create schema {theirs}; create table {theirs}.notes as select 1 as a")
    change_the_account(synced.account)
    assert cut_short(synced, MERGING, TMPDIR=str(tmp_path)) == -signal.SIGKILL
    assert list(tmp_path.iterdir()), "the killed sync was to leave its files"

    process = synced.spawn(*OPTIONS, TMPDIR=str(tmp_path))
    _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, err
    assert list(tmp_path.iterdir()) == []
    assert synced.query(f"select a from {theirs}.notes") == [(1,)]
    assert synced.query("select count(*) from pg_namespace where nspname ~ '^cekura_staging'") == [(1,)]
