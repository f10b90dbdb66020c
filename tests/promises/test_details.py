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
    return [id_ for request in account.sandbox.requests if (id_ := id_in(request.path)) is not None]


def fingerprint(account: Account) -> bytes:
    return hashlib.sha256(account.warehouse.read_bytes()).digest()


def finished(account: Account) -> list[int]:
    """The finished results, newest first."""
    rows = account.world.results.values()
    done = [row for row in rows if row["status"] in details_reader.TERMINAL]
    return [row["id"] for row in sorted(done, key=lambda row: row["created_at"], reverse=True)]


def id_in(path: str) -> int | None:
    """Of a request for one result."""
    last = path.rstrip("/").rpartition("/")[2]
    return int(last) if last.isdigit() else None


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


def test_details_of_every_finished_result_say_what_the_api_says_whatever_faults_pass(
    account: Account,
) -> None:
    for place, kind in enumerate(["429", "500", "disconnect", "truncate", "html"]):
        account.sandbox.faults.append(Fault(kind, first=5 * place + 3, last=5 * place + 4, retry_after=0))

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert (ran.json["details_read"], ran.json["details_left"]) == (40, 0)
    account.assert_equals_api()
    assert_details_equal_api(account)


def test_the_first_details_are_spread_over_several_syncs_newest_first(account: Account) -> None:
    left = finished(account)
    while left:
        account.sandbox.reset_requests()
        ran = account.sync("--details-budget", "25", CEKURA_DETAILS="1")
        assert ran.code == 0, ran.err
        assert sorted(asked(account), reverse=True) == sorted(left[:25], reverse=True)
        left = left[25:]
        assert (ran.json["details_read"], ran.json["details_left"]) == (len(asked(account)), len(left))
        waiting = f", details of {len(left)} left to read" if left else ""
        assert account.run("status").out.endswith(f"2 in flight{waiting}.\n")
    assert_details_equal_api(account)


@pytest.mark.long
def test_quick_syncs_of_one_project_go_on_with_its_details_although_the_warehouse_has_others(
    account: Account,
) -> None:
    """They ask for no others. Where a filter cannot be judged, only what is listed is asked for."""
    project = account.world.agents[0].project
    of_it = {id_ for id_ in finished(account) if account.world.entries[id_].agent.project == project}
    newest_page = ("--project-id", str(project), "--page-size", "5", "--lookback", "1h")
    assert account.sync("--project-id", str(project)).code == 0
    left = len(of_it)
    assert 10 < left < 40
    account.sandbox.reset_requests()

    for budget in (left // 2, left):
        ran = account.sync(*newest_page, "--details", "--details-budget", str(budget))
        left -= min(budget, left)
        assert (ran.code, ran.json["mode"], ran.json["details_left"]) == (0, "quick", left), ran.err
    in_flight = {*account.world.results} - {*finished(account)}
    assert {*asked(account)} - in_flight == of_it
    assert {id_ for (id_,) in account.query("select result_id from cekura.details_read")} == of_it

    smoke = {id_ for id_ in finished(account) if "smoke" in account.world.results[id_]["name"]}
    account.sandbox.reset_requests()
    assert account.sync("--search", "smoke", "--details").code == 0
    assert {*asked(account)} - in_flight == smoke - of_it != set()

    assert account.sync("--details").json["details_read"] == 40 - len(of_it | smoke)
    assert_details_equal_api(account)


@pytest.mark.long
def test_a_result_that_changed_is_read_again_and_its_old_details_leave_no_orphan(detailed: Account) -> None:
    """Also one of which a sync without details saw the change. Those of a result in flight wait until it is finished."""
    account, world = detailed, detailed.world
    flying = {*world.results} - {*finished(account)}
    judged, fewer, none, again, renamed = finished(account)[:5]
    assert {len(world.results[id_]["runs"]) for id_ in (judged, fewer, none, again)} == {2}
    world.edit(renamed, name="renamed")
    assert account.sync().json["updated"] == 1
    runs = world.results[judged]["runs"]
    world.touchless_edit(judged, runs=[{**run, "success": not run.get("success")} for run in runs])
    world.drop_runs(fewer, keep=1)
    world.drop_runs(none, keep=0)
    world.rerun(again)
    when = f"select read_at, _digest from cekura.details_read where result_id = {renamed}"
    ((read_at, digest),) = account.query(when)
    account.sandbox.reset_requests()

    assert account.sync("--details").json["details_read"] == 4

    assert {*asked(account)} - flying - {again} == {judged, fewer, none, renamed}
    ((read_later, same),) = account.query(when)
    assert (read_later > read_at, same) == (True, digest)  # read as before, it was not written again
    assert {*world.finish()} == {again, *flying}
    assert account.sync("--details").json["details_read"] == 3
    assert_details_equal_api(account)
    assert_nothing_is_due(account)


def assert_nothing_is_due(account: Account) -> None:
    """A sync changes no byte, asks for nothing more than the list, and does not import dlt."""
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


def test_a_dry_run_counts_what_is_due_and_asks_for_none_of_it(settled: Account) -> None:
    account = settled
    account.sandbox.reset_requests()
    before = fingerprint(account)

    ran = account.sync("--details", "--dry-run")

    assert (ran.json["details_read"], ran.json["details_left"]) == (0, 40)
    assert asked(account) == []
    assert fingerprint(account) == before


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


@pytest.mark.long
def test_transcripts_asked_for_later_are_read_again_and_no_more_at_a_time_than_was_allowed(
    detailed: Account,
) -> None:
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

    detailed.sandbox.intercept = count
    ran = detailed.sync("--transcripts", "--concurrency", "3")

    assert (ran.json["details_read"], most) == (40, 3)
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


@pytest.mark.long
@pytest.mark.parametrize("command", [["build"], *rare(["sync"], ["sync", "--details"])], ids=" ".join)
def test_a_warehouse_from_before_gets_the_tables_and_the_views(account: Account, command: list[str]) -> None:
    """Syncs that the older version left in the pending log are not lost."""
    account.sync()
    pending = account.home / "pending_log.jsonl"
    (entry,) = map(json.loads, pending.read_text().splitlines())
    old = {name: value for name, value in entry.items() if not name.startswith("details")}
    pending.write_text(json.dumps(old) + "\n")
    make_old(account)

    ran = account.run(*command)

    assert ran.code == 0, ran.err
    account.assert_equals_api()
    for view in ("failing_metrics", "metric_scores", "personality_pass_rate"):
        assert (account.query(f"from analytics.{view}") != []) == ("--details" in command)
    assert account.sync("--details").code == 0
    assert_details_equal_api(account)
    log = account.query("select details_read, details_left from cekura.sync_log order by finished_at")
    assert (log[:2], (40, 0) in log[2:]) == ([(None, None)] * 2, True)


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
    "another result": (Answer(200, b'{"id": 1, "created_at": "2026-01-01"}', JSON_TYPE), "another id"),
    "too much": (Answer(200, b'{"runs": [' + b" " * (1 << 20)), "larger than"),
}


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


def broken(account: Account) -> tuple[int, dict[int, tuple[Answer, str]], dict[int, tuple[Any, str]]]:
    """Which result is a 404, which addresses fail, and which results are no records."""
    ids = finished(account)
    alone = dict(zip(ids[1::3], ALONE.values(), strict=False))
    bad = dict(zip(ids[::3], BAD, strict=False))
    assert (len(alone), len(bad)) == (len(ALONE), len(BAD))
    return ids[2], alone, bad


def break_some(account: Account) -> None:
    gone, alone, bad = broken(account)
    answers = {id_: answer for id_, (answer, _) in alone.items()} | {
        gone: Answer(404, b'{"detail": "Not found."}', JSON_TYPE)
    }
    account.sandbox.intercept = lambda request: answers.get(id_in(request.path))
    account.sandbox.rewrite = lambda _, payload: (
        bad[payload["id"]][0](payload) if payload.get("id") in bad else None
    )


@pytest.fixture
def failing(new_synced: NewAccount, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account after a first sync with details, but for the broken ones."""
    monkeypatch.setattr(client, "BODY_LIMIT", 1 << 20)
    return new_synced("--details", **FORTY, arrange=break_some)


def a_day_passes(account: Account) -> None:
    """As far as the attempts are concerned that brought nothing."""
    with duckdb.connect(str(account.home / "base.duckdb")) as con:
        con.execute("update cekura.rejected_rows set seen_at = seen_at - interval 1 day")
        con.execute(
            "update cekura.details_read set read_at = read_at - interval 1 day where outcome <> 'read'"
        )


def test_an_address_that_fails_alone_costs_nobody_else_anything(failing: Account) -> None:
    _, alone, bad = broken(failing)

    log = "select details_read, details_left, rejected from cekura.sync_log order by finished_at desc limit 1"
    assert failing.query(log) == [(39 - len(alone) - len(bad), 0, len(alone) + len(bad))]
    failing.assert_equals_api()
    noted = dict(failing.query("select id, reason from cekura.rejected_rows"))
    for id_, (_, says) in alone.items():
        assert noted[id_].startswith("details: "), says
        assert says in noted[id_], says


def test_records_that_cannot_be_taken_are_noted_and_tried_again_when_they_change(failing: Account) -> None:
    _, alone, bad = broken(failing)
    in_flight = {*failing.world.results} - {*finished(failing)}
    query = "select id, reason, raw from cekura.rejected_rows"
    noted = {id_: (reason, raw) for id_, reason, raw in failing.query(query)}
    assert noted.keys() == alone.keys() | bad.keys()
    for id_, (_, says) in bad.items():
        reason, raw = noted[id_]
        assert reason.startswith(f"details: {says}")
        assert raw == f'{{"id": {id_}}}'  # what is in it may have been said by somebody
    failing.sandbox.reset_requests()
    assert failing.sync("--details", "--full").json["rejected"] == 0
    assert {*asked(failing)} - in_flight == set()
    failing.sandbox.rewrite = None
    mended = min(bad)
    failing.world.touchless_edit(mended, name="mended")

    assert failing.sync("--details").json["details_read"] == 1

    left = {id_ for (id_,) in failing.query("select id from cekura.rejected_rows")}
    assert left == noted.keys() - {mended}


def test_a_404_marks_nothing_and_is_asked_again_a_day_later(failing: Account) -> None:
    gone, alone, bad = broken(failing)
    in_flight = {*failing.world.results} - {*finished(failing)}
    assert failing.query(f"select deleted_at from cekura.results where id = {gone}") == [(None,)]
    assert failing.query(f"from cekura.rejected_rows where id = {gone}") == []
    failing.sandbox.reset_requests()
    assert failing.sync("--details").json["changed"] is False
    assert {*asked(failing)} - in_flight == set()
    failing.sandbox.intercept = failing.sandbox.rewrite = None
    a_day_passes(failing)

    assert failing.sync("--details").json["details_read"] == 1 + len(alone) + len(bad)

    assert failing.query("from cekura.rejected_rows") == []
    assert_details_equal_api(failing)


@pytest.mark.long
def test_an_address_that_goes_on_failing_is_asked_at_growing_intervals(failing: Account) -> None:
    _, alone, _ = broken(failing)
    tries = []
    for day in range(1, 6):
        a_day_passes(failing)
        failing.sandbox.reset_requests()
        assert failing.sync("--details").code == 0
        tries += [day] if min(alone) in asked(failing) else []

    waits = [later - earlier for earlier, later in pairwise([0, *tries])]
    assert waits == sorted(waits)
    assert waits[0] == 1 < waits[-1]


@pytest.mark.long
def test_the_last_good_details_stay_where_later_ones_cannot_be_taken_until_the_result_is_deleted(
    detailed: Account,
) -> None:
    """Then they leave the views, and what was noted goes too. All is back when the result is restored."""
    (bad, *_) = finished(detailed)
    shown = f"select count(*) from analytics.run_metrics where result_id = {bad}"
    before, tables = detailed.query(shown), [rows(detailed, table) for table in WRITTEN]
    detailed.world.edit(bad, name="renamed")
    detailed.sandbox.rewrite = by_id(bad, with_run(id=None))
    ran = detailed.sync("--details")
    assert (ran.json["rejected"], "could not be stored" in ran.err) == (1, True)
    assert [rows(detailed, table) for table in WRITTEN] == tables
    assert detailed.query(shown) == before != [(0,)]
    detailed.world.delete(bad)
    detailed.sandbox.reset_requests()

    assert detailed.sync("--full", "--details").json["deleted"] == 1

    assert detailed.query(shown) == [(0,)]
    assert detailed.query("from cekura.rejected_rows") == []
    assert asked(detailed).count(bad) == 1  # for the proof, not for its details
    detailed.sandbox.rewrite = None
    detailed.world.restore(bad)
    ran = detailed.sync("--details")
    assert (ran.json["restored"], ran.json["details_read"]) == (1, 1)
    assert detailed.query(shown) == before


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


@pytest.mark.long
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


# -- records that nobody would expect ---------------------------------------------------------------------------------


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
# A scenario that comes as an object, that was deleted, and whose name may quote a call.
SCENARIOS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    ({"scenario": {"id": 205, "name": "Refund", "personality_name": "Direct"}}, (205, "Refund", "Direct")),
    ({"scenario": None, "scenario_name": None, "personality_name": None}, (None, None, None)),
    ({"scenario": {"id": 206, "name": {"customerName": "Ana"}}}, (206, None, None)),
]


def odd_ones(account: Account) -> tuple[int, dict[int, Any], dict[int, Any]]:
    """Which result has hostile values, which odd reasons, and which odd scenarios."""
    hostile, *others = finished(account)
    return hostile, dict(zip(others, REASONS, strict=False)), dict(zip(others[20:], SCENARIOS, strict=False))


def listed_twice(payload: dict[str, Any]) -> dict[str, Any]:
    """The first run stands there once more, before itself, and says something else: of the two, the last one counts."""
    before = {
        "id": first_run(payload)["id"],
        "evaluation": {"metrics": [{"id": 900, "name": "z", "score": 1}]},
        "expected_outcome": {"score": 1},
        "transcript_object": [{"content": "they said it before"}, {"content": "and more"}],
    }
    return payload | {"runs": [before, *payload["runs"].values()]}


def make_odd(account: Account) -> None:
    hostile, reasons, scenarios = odd_ones(account)

    def change(_: Request, payload: dict[str, Any]) -> dict[str, Any] | None:
        id_ = payload.get("id")
        if id_ == hostile:
            return listed_twice(with_run(**HOSTILE)(payload))
        if id_ in reasons:
            return payload | {"failed_reasons": reasons[id_][0]}
        if id_ in scenarios:
            for name in ("scenario_name", "personality_name"):
                first_run(payload).pop(name)
            return with_run(**scenarios[id_][0])(payload)
        return None

    account.sandbox.rewrite = change


@pytest.fixture
def odd(new_synced: NewAccount) -> Account:
    """The account after a first sync with details, some of which are odd."""
    return new_synced("--details", **FORTY, arrange=make_odd)


def test_hostile_values_are_taken_for_what_they_are_worth(odd: Account) -> None:
    """And a run that is listed twice is one run."""
    account, (id_, *_) = odd, odd_ones(odd)

    assert account.query("select max(details_read), max(rejected) from cekura.sync_log") == [(40, 0)]
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


def test_with_transcripts_what_is_nested_or_spoken_is_kept_too(odd: Account) -> None:
    account, (id_, *_) = odd, odd_ones(odd)

    assert (
        account.sync("--transcripts", "--details-budget", "1").code == 0
    )  # of the newest, which is this one

    run_id = account.world.results[id_]["runs"][0]["id"]
    assert account.query(
        f"select nested, transcript_text, recording_url from cekura.run_details where run_id = {run_id}"
    ) == [('{"said":"my secret"}', "my secret", "https://example.invalid/my secret")]
    assert account.query(
        f"select place, role, content from cekura.transcript_turns where run_id = {run_id}"
    ) == [(1, None, "they said something")]


def test_reasons_are_read_in_every_form_that_they_may_have(odd: Account) -> None:
    _, reasons, _ = odd_ones(odd)

    for id_, (given, found) in reasons.items():
        where = f"where result_id = {id_} order by place"
        assert odd.query(f"select place, run_id, reason from cekura.failed_reasons {where}") == found, given


def test_a_scenario_that_comes_as_an_object_or_was_deleted_is_no_obstacle(odd: Account) -> None:
    _, _, scenarios = odd_ones(odd)

    for id_, (given, found) in scenarios.items():
        where = f"where run_id = {odd.world.results[id_]['runs'][0]['id']}"
        columns = "scenario, scenario_name, personality_name"
        assert odd.query(f"select {columns} from cekura.run_details {where}") == [found], given


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
