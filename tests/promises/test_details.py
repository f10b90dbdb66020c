"""`sync --details` through the public door: which results are asked for, when again, and that the tables say what the API says."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from cekura_sync.api import client
from cekura_sync.sandbox import Answer, Fault, Request
from support import details_reader
from support.harness import PATIENCE, Account, NewAccount
from support.rare import rare

SPOKEN = "transcript_turns"
WRITTEN = [table for table in details_reader.COLUMNS if table != SPOKEN]


NOW = datetime.now(UTC)


FORTY = {"results": 42, "in_flight": 2, "agents": 3, "runs_per_result": 2, "vary_runs": False}


@pytest.fixture
def settled(new_synced: NewAccount) -> Account:
    """Forty finished results of two runs and two in flight, read in one page; after a first sync without details."""
    return new_synced(**FORTY)


@pytest.fixture
def account(settled: Account) -> Account:
    return settled


@pytest.fixture
def detailed(new_synced: NewAccount) -> Account:
    """The account after a first sync with details."""
    return new_synced("--details", **FORTY)


def rows(account: Account, table: str) -> list[tuple[Any, ...]]:
    found = account.query(f"select {details_reader.COLUMNS[table]} from cekura.{table}")
    return sorted(found, key=repr)


def assert_details_equal_api(account: Account, *, transcripts: bool = False) -> None:
    for table in [*WRITTEN, *([SPOKEN] if transcripts else [])]:
        stored, truth = rows(account, table), details_reader.rows(account.world, table)
        assert truth, f"the account has nothing for {table}"
        assert stored == truth, table
    assert transcripts or rows(account, SPOKEN) == []


def asked(account: Account) -> list[int]:
    """Which results were asked for by id since the requests were forgotten, in order."""
    paths = [request.path.rstrip("/") for request in account.sandbox.requests]
    return [int(path.rpartition("/")[2]) for path in paths if path.rpartition("/")[2].isdigit()]


def fingerprint(account: Account) -> bytes:
    return hashlib.sha256(account.warehouse.read_bytes()).digest()


def finished(account: Account) -> list[int]:
    """The finished results, newest first."""
    rows = account.world.results.values()
    done = [row for row in rows if row["status"] in details_reader.TERMINAL]
    return [row["id"] for row in sorted(done, key=lambda row: row["created_at"], reverse=True)]


def by_id(id_: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[Request, dict[str, Any]], Any]:
    """A rewrite of the stand-in's answer for one result."""
    return lambda request, payload: change(payload) if request.path.endswith(f"/{id_}/") else None


# -- what is read, and when -------------------------------------------------------------------------------------------


def test_a_sync_without_details_asks_for_none_and_has_the_tables_all_the_same(account: Account) -> None:
    ran = account.sync()

    assert "details_read" not in ran.json
    assert asked(account) == []
    for table in details_reader.COLUMNS:
        assert rows(account, table) == []
    assert account.query("from analytics.failing_metrics") == []


def test_details_of_every_finished_result_say_what_the_api_says(account: Account) -> None:
    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert (ran.json["details_read"], ran.json["details_left"]) == (40, 0)
    account.assert_equals_api()
    assert_details_equal_api(account)


def test_the_first_details_are_spread_over_several_syncs_newest_first(settled: Account) -> None:
    account = settled
    left = finished(account)
    while left:
        account.sandbox.reset_requests()
        ran = account.sync("--details-budget", "15", CEKURA_DETAILS="1")
        assert ran.code == 0, ran.err
        assert sorted(asked(account), reverse=True) == sorted(left[:15], reverse=True)
        left = left[15:]
        assert (ran.json["details_read"], ran.json["details_left"]) == (
            len(asked(account)),
            len(left),
        )
    assert_details_equal_api(account)


def test_quick_syncs_of_one_project_go_on_with_its_details_although_the_warehouse_has_others(
    settled: Account,
) -> None:
    account = settled
    project = account.world.agents[0].project
    of_it = {id_ for id_ in finished(account) if account.world.entries[id_].agent.project == project}
    assert account.sync("--project-id", str(project)).code == 0
    left = len(of_it)
    assert 10 < left < 40

    while left:
        ran = account.sync(
            "--project-id",
            str(project),
            "--details",
            "--details-budget",
            "7",
            "--page-size",
            "5",
            "--lookback",
            "1h",
        )
        left -= min(7, left)
        assert (ran.code, ran.json["mode"], ran.json["details_left"]) == (0, "quick", left), ran.err

    assert {id_ for (id_,) in account.query("select result_id from cekura.details_read")} == of_it


def test_status_says_how_much_is_left(settled: Account) -> None:
    settled.sync("--details", "--details-budget", "15")

    assert settled.run("status").out.endswith("2 in flight, details of 25 left to read.\n")


def test_a_sync_with_nothing_due_changes_no_byte_asks_for_nothing_more_and_imports_no_dlt(
    account: Account,
) -> None:
    account.world.finish()
    account.sync("--details")
    before = fingerprint(account)
    account.sandbox.reset_requests()
    program = (
        "import sys; from cekura_sync import cli; cli.run(['sync', '--details', '--json']);"
        "print('dlt' in sys.modules, file=sys.stderr)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=account.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert json.loads(ran.stdout)["details_read"] == 0
    assert ran.stderr.endswith("False\n")
    assert len(account.sandbox.requests) == 1
    assert fingerprint(account) == before


def test_details_wait_until_a_result_is_finished(detailed: Account) -> None:
    flying = detailed.world.finish()
    detailed.sandbox.reset_requests()

    ran = detailed.sync("--details")

    assert ran.json["details_read"] == len(flying) == 2
    assert {*flying} <= {*asked(detailed)}
    assert_details_equal_api(detailed)


def test_a_result_that_changed_is_read_again_and_its_old_details_leave_no_orphan(detailed: Account) -> None:
    some = [id_ for id_ in finished(detailed) if len(detailed.world.results[id_]["runs"]) > 1]
    judged, fewer, none, again = some[:4]
    runs = detailed.world.results[judged]["runs"]
    detailed.world.touchless_edit(judged, runs=[{**run, "success": not run.get("success")} for run in runs])
    detailed.world.drop_runs(fewer, keep=1)
    detailed.world.drop_runs(none, keep=0)
    detailed.world.rerun(again)
    assert detailed.sync("--details").json["details_read"] == 3
    detailed.world.finish()

    ran = detailed.sync("--details")

    assert ran.json["details_read"] == 3
    assert_details_equal_api(detailed)


def test_a_change_that_a_sync_without_details_saw_is_read_by_the_next_one_with_them(
    detailed: Account,
) -> None:
    (id_, *_) = finished(detailed)
    detailed.world.edit(id_, name="renamed")
    detailed.sync()
    detailed.sandbox.reset_requests()

    assert detailed.sync("--details").json["details_read"] == 1
    assert asked(detailed) == [id_]


def test_details_that_read_as_before_are_not_written_again(detailed: Account) -> None:
    (id_, *_) = finished(detailed)
    when = "select read_at, _digest from cekura.details_read where result_id = "
    before = detailed.query(f"{when}{id_}")
    detailed.world.edit(id_, name="renamed")

    assert detailed.sync("--details").json["details_read"] == 1
    after = detailed.query(f"{when}{id_}")
    assert after[0][0] > before[0][0]
    assert after[0][1] == before[0][1]
    assert_details_equal_api(detailed)


def test_a_dry_run_counts_what_is_due_and_asks_for_none_of_it(settled: Account) -> None:
    account = settled
    account.sandbox.reset_requests()
    before = fingerprint(account)

    ran = account.sync("--details", "--dry-run")

    assert (ran.json["details_read"], ran.json["details_left"]) == (0, 40)
    assert asked(account) == []
    assert fingerprint(account) == before


def test_no_more_are_asked_for_at_a_time_than_was_allowed(settled: Account) -> None:
    """The first requests wait until three are under way."""
    under_way, most = 0, 0
    changed = threading.Condition()

    def count(request: Request) -> Answer | None:
        nonlocal under_way, most
        if request.path.endswith("/results/"):
            return None
        with changed:
            under_way += 1
            most = max(most, under_way)
            changed.notify_all()
            met = changed.wait_for(lambda: most >= 3, PATIENCE)
            under_way -= 1
        return None if met else Answer(500)

    settled.sandbox.intercept = count
    ran = settled.sync("--details", "--concurrency", "3")

    assert (ran.json["details_read"], most) == (40, 3)


def test_details_take_half_of_the_time_that_is_left_and_the_list_is_committed(
    settled: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = settled
    account.world.insert(1)
    gone_by = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + gone_by, sleep=time.sleep)
    monkeypatch.setattr(client, "time", clock)

    def take_half_an_hour(request: Request) -> None:
        nonlocal gone_by
        gone_by += 1800 if len(asked(account)) == 5 else 0

    account.sandbox.intercept = take_half_an_hour
    ran = account.sync("--details", "--concurrency", "1", "--timeout", "1h")

    assert ran.code == 0, ran.err
    assert 4 <= ran.json["details_read"] <= 6
    assert ran.json["details_read"] + ran.json["details_left"] == 41
    account.assert_equals_api()


# -- transcripts ------------------------------------------------------------------------------------------------------


def test_what_was_said_is_not_kept_unless_it_is_asked_for(detailed: Account) -> None:

    with duckdb.connect(str(detailed.warehouse), read_only=True) as con:
        columns = {name for name, *_ in con.execute("describe cekura.run_details").fetchall()}
    assert "dropoff_point" in columns
    assert {"transcript_object", "voice_recording"} & columns == set()
    assert b"I am calling about my account" not in detailed.warehouse.read_bytes()


def test_transcripts_asked_for_later_are_read_again(detailed: Account) -> None:

    ran = detailed.sync("--transcripts")

    assert ran.json["details_read"] == 40
    assert_details_equal_api(detailed, transcripts=True)
    assert detailed.sync("--details", "--transcripts").json["details_read"] == 0
    assert detailed.sync("--details").json["details_read"] == 0


@pytest.mark.long  # test_personal_data.py looks into every file in every run
def test_a_result_read_again_without_transcripts_keeps_none(account: Account) -> None:
    account.sync(CEKURA_TRANSCRIPTS="yes")
    (id_, *_) = [id_ for id_ in finished(account) if account.world.results[id_]["status"] == "completed"]
    turns = f"select count(*) from cekura.transcript_turns where result_id = {id_}"
    assert account.query(turns) != [(0,)]
    account.world.edit(id_, name="renamed")

    account.sync("--details", "--no-transcripts", CEKURA_TRANSCRIPTS="yes")

    assert account.query(turns) == [(0,)]


@pytest.mark.parametrize("name", ["CEKURA_DETAILS", "CEKURA_TRANSCRIPTS"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(account: Account, name: str) -> None:
    ran = account.sync(**{name: "perhaps"})

    assert (ran.code, account.sandbox.requests) == (2, [])
    assert name in ran.err


# -- scopes and deleted results ---------------------------------------------------------------------------------------


def test_only_details_of_the_scope_are_asked_for(settled: Account) -> None:
    account = settled
    agent = account.world.agents[0].id
    of_agent = {id_ for id_ in finished(account) if account.world.results[id_]["agent"] == agent}
    account.sandbox.reset_requests()

    assert account.sync("--agent-id", str(agent), "--details").json["details_read"] == len(of_agent)
    assert {*asked(account)} == of_agent
    assert account.sync("--details").json["details_read"] == 40 - len(of_agent)
    assert_details_equal_api(account)


def test_of_a_scope_that_cannot_be_judged_only_what_is_listed_is_asked_for(settled: Account) -> None:
    account = settled
    smoke = {id_ for id_ in finished(account) if "smoke" in account.world.results[id_]["name"]}
    account.sandbox.reset_requests()

    account.sync("--search", "smoke", "--details")

    assert smoke
    in_flight = {id_ for id_ in account.world.results if id_ not in finished(account)}
    assert {*asked(account)} - in_flight == smoke


def test_details_of_a_deleted_result_leave_the_views_and_come_back_with_it(detailed: Account) -> None:
    gone = finished(detailed)[5]
    shown = f"select count(*) from analytics.run_metrics where result_id = {gone}"
    before = detailed.query(shown)
    detailed.world.delete(gone)
    detailed.sandbox.reset_requests()

    assert detailed.sync("--full", "--details").json["deleted"] == 1
    assert detailed.query(shown) == [(0,)]
    assert asked(detailed).count(gone) == 1  # for the proof, not for its details
    detailed.world.restore(gone)
    ran = detailed.sync("--full", "--details")
    assert (ran.json["restored"], ran.json["details_read"]) == (1, 1)
    assert detailed.query(shown) == before != [(0,)]


def test_a_404_marks_nothing_and_is_asked_again_a_day_later(settled: Account) -> None:
    account = settled
    gone = finished(account)[5]
    account.sandbox.intercept = lambda request: (
        Answer(404, b'{"detail": "Not found."}', {"Content-Type": "application/json"})
        if request.path.endswith(f"/{gone}/")
        else None
    )

    ran = account.sync("--details")

    assert (ran.json["details_read"], ran.json["details_left"], ran.json["deleted"]) == (39, 0, 0)
    account.assert_equals_api()
    account.sandbox.reset_requests()
    assert account.sync("--details").json["changed"] is False
    assert asked(account) == []
    account.sandbox.intercept = None
    a_day_passes(account)
    assert account.sync("--details").json["details_read"] == 1
    assert_details_equal_api(account)


def a_day_passes(account: Account) -> None:
    """As far as the attempts are concerned that brought nothing."""
    with duckdb.connect(str(account.home / "base.duckdb")) as con:
        con.execute(
            "update cekura.details_read set read_at = read_at - interval 1 day where outcome <> 'read'"
        )


# -- warehouses from before -------------------------------------------------------------------------------------------


def make_old(account: Account) -> None:
    """As a version without details left it."""
    views = (
        "metric_percentiles",
        "metric_scores",
        "metric_regressions",
        "failing_metrics",
        "call_duration_daily",
        "personality_pass_rate",
    )
    tables = ("details_read", *details_reader.COLUMNS)
    for path in (account.home / "base.duckdb", account.warehouse):
        with duckdb.connect(str(path)) as con:
            for view in (*views, "metrics", "run_metrics", "run_details"):
                con.execute(f"drop view analytics.{view}")
            for table in tables:
                con.execute(f"drop table cekura.{table}")
            for column in ("details_read", "details_left"):
                con.execute(f"alter table cekura.sync_log drop column {column}")
            con.execute("update cekura.sync_log set finished_at = finished_at - interval 2 hour")


@pytest.mark.parametrize("command", [["build"], *rare(["sync"], ["sync", "--details"])], ids=" ".join)
def test_a_warehouse_from_before_gets_the_tables_and_the_views(
    new_synced: NewAccount, command: list[str]
) -> None:
    account = new_synced(**FORTY | {"in_flight": 0})
    make_old(account)

    ran = account.run(*command)

    assert ran.code == 0, ran.err
    account.assert_equals_api()
    for view in ("failing_metrics", "metric_scores", "personality_pass_rate"):
        assert (account.query(f"from analytics.{view}") != []) == ("--details" in command)
    assert account.sync("--details").code == 0
    assert_details_equal_api(account)
    assert account.query("select max(details_read), max(details_left) from cekura.sync_log") == [(42, 0)]


def test_syncs_that_an_older_version_left_in_the_pending_log_are_not_lost(new_synced: NewAccount) -> None:
    account = new_synced(**FORTY | {"in_flight": 0})
    account.sync()
    pending = account.home / "pending_log.jsonl"
    (entry,) = map(json.loads, pending.read_text().splitlines())
    old = {name: value for name, value in entry.items() if not name.startswith("details")}
    pending.write_text(json.dumps(old) + "\n")

    assert account.sync("--details").code == 0
    assert account.query("select details_read from cekura.sync_log order by finished_at") == [
        (None,),
        (None,),
        (42,),
    ]


# -- faults in the middle ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("403", 3),
        ("429", 4),
        ("500", 4),
        ("truncate", 4),
        ("error-object", 5),
        ("html", 5),
    ],
)
def test_a_fault_in_the_middle_of_the_details_changes_nothing(settled: Account, kind: str, code: int) -> None:
    account = settled
    account.world.insert(1)
    before = fingerprint(account)
    account.sandbox.reset_requests()
    account.sandbox.faults.append(Fault(kind, first=9, retry_after=600))

    ran = account.sync("--details", "--timeout", "30s", "--concurrency", "2")

    assert ran.code == code, ran.err
    assert fingerprint(account) == before


def test_faults_that_pass_are_not_noticed(settled: Account) -> None:
    account = settled
    for place, kind in enumerate(["429", "500", "disconnect", "truncate", "html"]):
        account.sandbox.faults.append(Fault(kind, first=5 * place + 3, last=5 * place + 4, retry_after=0))

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert_details_equal_api(account)


JSON_TYPE = {"Content-Type": "application/json"}
ALONE: dict[str, tuple[Answer, str]] = {
    "500": (Answer(500, b'{"detail": "Server Error"}', JSON_TYPE), "is down (500: Server Error)"),
    "502, HTML": (Answer(502, b"<html>"), "is down (502)"),
    "403": (Answer(403, b'{"detail": "Not yours."}', JSON_TYPE), "403: Not yours."),
    "401": (Answer(401, b'{"detail": "Who?"}', JSON_TYPE), "401: Who?"),
    "404, HTML": (Answer(404, b"<html>"), "404"),
    "410": (Answer(410, b'{"detail": "Gone."}', JSON_TYPE), "410: Gone."),
    "400": (Answer(400, b'{"detail": "No."}', JSON_TYPE), "400"),
    "405": (Answer(405, b'{"detail": "No."}', JSON_TYPE), "405"),
    "nothing": (Answer(200, b""), "not JSON"),
    "a list": (Answer(200, b"[]"), "not an object"),
    "an error": (Answer(200, b'{"error": "internal"}', JSON_TYPE), "not a result"),
    "another result": (Answer(200, b'{"id": 1, "created_at": "2026-01-01"}', JSON_TYPE), "another one"),
    "too much": (Answer(200, b'{"runs": [' + b" " * (1 << 20)), "larger than"),
}


def test_an_address_that_fails_alone_costs_nobody_else_anything(
    settled: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = settled
    monkeypatch.setattr(client, "BODY_LIMIT", 1 << 20)
    failing = dict(zip(finished(account)[1::3], ALONE, strict=False))
    assert len(failing) == len(ALONE)
    account.world.insert(1)

    def fail(request: Request) -> Answer | None:
        kinds = (kind for id_, kind in failing.items() if request.path.endswith(f"/{id_}/"))
        return next((ALONE[kind][0] for kind in kinds), None)

    account.sandbox.intercept = fail
    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert (ran.json["details_read"], ran.json["rejected"]) == (41 - len(ALONE), len(ALONE))
    assert "could not be stored" in ran.err
    account.assert_equals_api()
    noted = dict(account.query("select id, reason from cekura.rejected_rows"))
    for id_, kind in failing.items():
        assert noted[id_].startswith("details: "), kind
        assert ALONE[kind][1] in noted[id_], kind
    account.sandbox.reset_requests()
    assert account.sync("--details").json["changed"] is False
    assert asked(account) == []
    account.sandbox.intercept = None
    a_day_passes(account)
    assert account.sync("--details").json["details_read"] == len(ALONE)
    assert account.query("from cekura.rejected_rows") == []


def test_an_address_that_goes_on_failing_is_asked_at_growing_intervals(settled: Account) -> None:
    account = settled
    (id_, *_) = finished(account)
    account.sandbox.intercept = lambda request: (
        Answer(410, b"{}") if request.path.endswith(f"/{id_}/") else None
    )
    account.sync("--details")
    tries = []
    for day in range(1, 9):
        with duckdb.connect(str(account.home / "base.duckdb")) as con:
            con.execute("update cekura.rejected_rows set seen_at = seen_at - interval 1 day")
            con.execute("update cekura.details_read set read_at = read_at - interval 1 day")
        account.sandbox.reset_requests()
        assert account.sync("--details").code == 0
        tries += [day] if id_ in asked(account) else []

    waits = [later - earlier for earlier, later in pairwise([0, *tries])]
    assert (tries[0], waits) == (1, sorted(waits))
    assert 3 <= len(tries) <= 4


def test_where_no_record_can_be_had_the_list_arrives_and_the_details_wait(settled: Account) -> None:
    account = settled
    account.world.insert(1)
    account.sandbox.intercept = lambda request: (
        Answer(500, b"{}") if not request.path.endswith("/results/") else None
    )

    ran = account.sync("--details", "--concurrency", "2")

    assert ran.code == 0, ran.err
    assert (ran.json["details_read"], ran.json["details_left"], ran.json["rejected"]) == (0, 36, 5)
    account.assert_equals_api()
    account.sandbox.intercept = None
    a_day_passes(account)
    assert account.sync("--details").json["details_read"] == 41


# -- records that nobody would expect ---------------------------------------------------------------------------------


def first_run(payload: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = next(iter(payload["runs"].values()))
    return run


def with_run(**fields: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The record with other fields in its first run."""

    def change(payload: dict[str, Any]) -> dict[str, Any]:
        first_run(payload).update(fields)
        return payload

    return change


BOMB = b'{"id": %d, "created_at": "2026-01-01", "runs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


BAD: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda payload: BOMB % payload["id"], "not valid JSON"),
    (lambda payload: b'{"id": %d, "created_at": NaN, "runs": {}}' % payload["id"], "not valid JSON"),
    (lambda payload: b'{"id": %d, "created_at": 1e999, "runs": {}}' % payload["id"], "not valid JSON"),
    (lambda payload: b'{"id": %d, "created_at": "\xff"}' % payload["id"], "not valid JSON"),
    (lambda payload: payload | {"runs": "none"}, "runs is neither a list nor keyed by id"),
    (lambda payload: payload | {"runs": ["x"]}, "a run is not an object"),
    (with_run(id=2**63), "a run has no usable id"),
    (with_run(id=None), "a run has no usable id"),
]


def test_records_that_cannot_be_taken_are_noted_and_tried_again_when_they_change(settled: Account) -> None:
    account = settled
    bad = dict(zip(finished(account), BAD, strict=False))
    account.sandbox.rewrite = lambda _, payload: (
        bad[payload["id"]][0](payload) if payload.get("id") in bad else payload
    )

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert (ran.json["details_read"], ran.json["rejected"]) == (40 - len(BAD), len(BAD))
    noted = account.query("select id, reason, raw from cekura.rejected_rows order by id desc")
    assert [id_ for id_, _, _ in noted] == sorted(bad, reverse=True)
    for id_, reason, raw in noted:
        assert reason.startswith(f"details: {bad[id_][1]}")
        assert raw == f'{{"id": {id_}}}'  # what is in it may have been said by somebody
    account.assert_equals_api()
    account.sandbox.reset_requests()
    assert account.sync("--details", "--full").json["rejected"] == 0
    assert [id_ for id_ in asked(account) if id_ in bad] == []
    account.sandbox.rewrite = None
    (mended, *_) = bad
    account.world.touchless_edit(mended, name="mended")
    assert account.sync("--details", "--full").json["details_read"] == 1
    assert account.query("select count(*) from cekura.rejected_rows") == [(len(BAD) - 1,)]
    a_day_passes(account)
    assert account.sync("--details").json["details_read"] == len(BAD) - 1
    assert account.query("from cekura.rejected_rows") == []
    assert_details_equal_api(account)


def test_calls_that_the_list_no_longer_has_count_in_no_view(detailed: Account) -> None:
    """Their details were read before, and are not read again."""
    world = detailed.world
    cut, moved_from = finished(detailed)[:2]
    world.edit(cut, runs=world.results[cut]["runs"][:1])
    (moved, *others) = world.results[moved_from]["runs"]
    (newer,) = world.insert(1)
    world.edit(moved_from, runs=others)
    world.edit(newer, runs=[*world.results[newer]["runs"], moved])

    assert detailed.sync("--no-details").code == 0

    listed = "select run_id, result_id from analytics.runs"
    assert detailed.query(f"select run_id, result_id from analytics.run_details except {listed}") == []
    calls = "select sum(calls) from analytics.call_duration_daily"
    of_the_list = (
        "select count(*) from analytics.runs where duration_seconds is not null"
        " and channel is distinct from 'text' and result_status_group = 'completed'"
    )
    assert detailed.query(calls) == detailed.query(of_the_list)
    assert detailed.run("check").code == 0


def test_a_record_that_cannot_be_taken_goes_when_its_result_is_deleted(settled: Account) -> None:
    (bad, *_) = finished(settled)
    settled.sandbox.rewrite = by_id(bad, with_run(id=None))
    assert settled.sync("--transcripts").json["rejected"] == 1
    settled.world.delete(bad)

    assert settled.sync("--transcripts").json["deleted"] == 1

    assert settled.query("from cekura.rejected_rows") == []


def test_the_last_good_details_stay_where_later_ones_cannot_be_taken(detailed: Account) -> None:
    (bad, *_) = finished(detailed)
    before = [rows(detailed, table) for table in WRITTEN]
    detailed.world.edit(bad, name="renamed")
    detailed.sandbox.rewrite = by_id(bad, with_run(id=None))

    assert detailed.sync("--details").json["rejected"] == 1

    assert [rows(detailed, table) for table in WRITTEN] == before


HOSTILE = {
    'Ünïcode "quoted" \' \\ ; drop table runs --': "\u202eabc 🦜 \x00",
    "run_id": 5,
    "RESULT_ID": 6,
    "": "nothing",
    "_removed": True,
    "great": 10**30,
    "agentVersion": 7,
    "nested": {"said": "my secret"},
    "transcript_text": "my secret",
    "recording_url": "https://example.invalid/my secret",
    "timestamp": "infinity",
    "executed_at": "9998-01-01T00:00:00Z",
    "duration": "1e308:00",
    "scenario": 2**70,
    "success": "perhaps",
    "error_message": "x" * 100_000,
    "metadata": [1, {"a": None}],
    "evaluation": {
        "metrics": {
            "901": {"name": "a", "score": "0.5", "explanation": [["deep"], None, {"k": 1}], "eval_type": "binary"},
            str(2**70): {"name": "b", "score": 10**400, "passed": "yes"},
            "903": 4.5,
            "text": {"score": True},
            "904": {"name": "c", "score": "n/a", "enum": ["x", "y"], "critical": True},
        }
    },
    "expected_outcome": "met",
    "transcript_object": "they said something",
}  # fmt: skip


def test_hostile_values_are_taken_for_what_they_are_worth(settled: Account) -> None:
    account = settled
    (id_, *_) = finished(account)
    account.sandbox.rewrite = by_id(id_, with_run(**HOSTILE))

    ran = account.sync("--details")

    assert (ran.code, ran.json["details_read"]) == (0, 40), ran.err
    run_id = account.world.results[id_]["runs"][0]["id"]
    where = f"where result_id = {id_} and run_id = {run_id}"
    assert account.query(
        "select run_id_2, removed, great, agent_version, timestamp, executed_at, duration_seconds, scenario, success,"
        f" length(error_message), metadata from cekura.run_details {where}"
    ) == [("5", "true", str(10**30), "7", None, None, None, None, None, 100_000, None)]
    assert account.query(
        "select metric_id, name, type, score, passed, enum_value, explanation, more"
        f" from cekura.run_metrics {where} order by coalesce(metric_id, 0), name"
    ) == [
        (None, "b", None, None, None, None, None, f'{{"id":"{2**70}","passed":"yes","score":{10**400}}}'),
        (None, "text", None, None, True, None, None, None),
        (901, "a", "binary", 0.5, None, None, 'deep\n{"k":1}', None),
        (903, None, None, 4.5, None, None, None, None),
        (904, "c", None, None, None, "x\ny", None, '{"critical":true,"score":"n/a"}'),
    ]
    assert account.query(f"select score, explanation from cekura.expected_outcomes {where}") == [
        (None, "met")
    ]
    assert b"my secret" not in account.warehouse.read_bytes()
    assert account.run("check").code == 0


def test_with_transcripts_what_is_nested_or_spoken_is_kept_too(account: Account) -> None:
    (id_, *_) = finished(account)
    account.sandbox.rewrite = by_id(id_, with_run(**HOSTILE))

    assert account.sync("--transcripts").code == 0

    run_id = account.world.results[id_]["runs"][0]["id"]
    assert account.query(
        f"select nested, transcript_text, recording_url from cekura.run_details where run_id = {run_id}"
    ) == [('{"said":"my secret"}', "my secret", "https://example.invalid/my secret")]
    assert account.query(
        f"select place, role, content from cekura.transcript_turns where run_id = {run_id}"
    ) == [(1, None, "they said something")]


REASONS: list[tuple[object, list[tuple[Any, ...]]]] = [
    (None, []),
    ([], []),
    ("line dead", [(1, None, "line dead")]),
    (["line dead", "no answer"], [(1, None, "line dead"), (2, None, "no answer")]),
    ({"line dead": 3}, [(1, None, "line dead")]),
    ({"77": "no answer"}, [(1, 77, "no answer")]),
    ({"77": {"message": "no answer"}}, [(1, 77, "no answer")]),
    ([{"run_id": "77", "error_message": "no answer"}], [(1, 77, "no answer")]),
]


def test_reasons_are_read_in_every_form_that_they_may_have(settled: Account) -> None:
    account = settled
    odd = dict(zip(finished(account), REASONS, strict=False))
    account.sandbox.rewrite = lambda _, payload: (
        payload | {"failed_reasons": odd[payload["id"]][0]} if payload.get("id") in odd else payload
    )

    assert account.sync("--details", "--details-budget", str(len(odd))).code == 0

    for id_, (reasons, found) in odd.items():
        where = f"where result_id = {id_} order by place"
        assert account.query(f"select place, run_id, reason from cekura.failed_reasons {where}") == found, (
            reasons
        )


def test_a_scenario_that_comes_as_an_object_or_was_deleted_is_no_obstacle(account: Account) -> None:
    one, other = finished(account)[:2]
    scenario = {"id": 205, "name": "Refund", "personality_name": "Direct"}

    def change(request: Request, payload: dict[str, Any]) -> dict[str, Any]:
        if request.path.endswith(f"/{one}/"):
            run = first_run(payload)
            for name in ("scenario_name", "personality_name"):
                run.pop(name)
            run["scenario"] = scenario
        if request.path.endswith(f"/{other}/"):
            first_run(payload).update(scenario=None, scenario_name=None, personality_name=None)
        return payload

    account.sandbox.rewrite = change
    assert account.sync("--details").code == 0

    runs = ", ".join(str(account.world.results[id_]["runs"][0]["id"]) for id_ in (one, other))
    assert account.query(
        "select scenario, scenario_name, personality_name from cekura.run_details"
        f" where run_id in ({runs}) order by scenario nulls last"
    ) == [(205, "Refund", "Direct"), (None, None, None)]

    scenario["name"] = {"customerName": "Ana"}  # and what no document describes may quote a call
    account.world.edit(one, name="edited")
    assert account.sync("--details").code == 0
    assert account.query(
        f"select scenario_name from cekura.run_details where run_id = {account.world.results[one]['runs'][0]['id']}"
    ) == [(None,)]


@pytest.mark.long  # test_forms.py compares every view of it in every run
def test_both_shapes_of_the_api_give_the_same_answers(new_account: NewAccount) -> None:
    now = NOW
    observed, literal = (
        new_account(f"{shape}.duckdb", results=40, agents=3, now=now, shape=shape)
        for shape in ("observed", "literal")
    )
    for account in (observed, literal):
        assert account.sync("--details").code == 0

    for question in (
        "select * exclude (metadata) from cekura.run_details order by run_id",
        "select run_id, metric_id, metric_type, passed, explanation from analytics.run_metrics order by all",
        "from analytics.failing_metrics order by all",
        "from analytics.personality_pass_rate order by all",
        "select result_id, run_id, reason from cekura.failed_reasons order by all",
        "from cekura.expected_outcomes order by all",
    ):
        assert observed.query(question) == literal.query(question) != [], question
