"""`gate` as a pipeline runs it: it syncs, waits for what is in flight, and passes on what goes wrong."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from cekura_sync import clock as cekura_clock
from cekura_sync.console.signals import Stopped, stop_signals
from cekura_sync.gate import waiting
from cekura_sync.sandbox import Fault, Request
from support.first_syncs import FirstSyncs
from support.harness import Account, NewAccount, Ran
from support.shared import Shared

AGENT = 4101  # the first of the sandbox
KIND = "tested by a nightly suite"


class NoWaiting(waiting.Clock):
    """A clock that only moves when somebody sleeps; `meanwhile` is what happens then."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.slept: list[timedelta] = []
        self._now = datetime.now(UTC)
        self._meanwhile = meanwhile

    def now(self) -> datetime:
        return self._now

    def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        self._now += duration
        self._meanwhile()


@pytest.fixture
def unsynced(new_account: NewAccount, first_syncs: FirstSyncs) -> Account:
    """One agent with a suite of six passing runs a day for 28 days."""
    return with_suites(new_account(results=0, agents=1, now=first_syncs.now()))


def with_suites(account: Account) -> Account:
    for day in range(28, 0, -1):
        suite(account, account.world.clock() - timedelta(days=day), passing=6)
    return account


@pytest.fixture
def tested(unsynced: Account, first_syncs: FirstSyncs) -> Account:
    """The same after a first sync of its agent."""
    first_syncs.give(unsynced, "--agent-id", str(AGENT), kind=KIND)
    return unsynced


def suite(account: Account, at: datetime, passing: int, status: str = "completed") -> int:
    (agent,) = account.world.agents
    first = 1_000_000 + 10 * len(account.world.entries)
    runs = [
        {
            "id": first + place,
            "status": status,
            "scenario": scenario.id,
            "scenario_name": scenario.name,
            **({"success": place < passing} if status == "completed" else {}),
        }
        for place, scenario in enumerate(agent.scenarios[:6])
    ]
    (result_id,) = account.world.insert(created_at=at, status=status, runs=runs)
    return result_id


def gate(account: Account, *options: str, **env: str) -> Ran:
    return account.run("gate", "--json", "-q", "--agent-id", str(AGENT), *options, **env)


def fall(account: Account, results: int = 5) -> list[int]:
    now = account.world.clock()
    return [suite(account, now - timedelta(minutes=results - place), passing=2) for place in range(results)]


def test_a_planted_fall_exits_11_and_the_scenarios_are_named(tested: Account) -> None:
    assert gate(tested, "--last", "5").code == 0
    fell = fall(tested)

    ran = gate(tested, "--last", "5")

    assert ran.code == 11
    (agent,) = ran.json["agents"]
    (made,) = tested.world.agents
    assert {scenario["scenario_id"] for scenario in agent["scenarios"]} == {
        scenario.id for scenario in made.scenarios[2:6]
    }
    assert agent["scenarios"][0]["failed_runs"][0]["result_id"] == fell[-1]


def test_only_the_agents_that_are_judged_are_synced(new_account: NewAccount) -> None:
    account = new_account(results=15, agents=3, runs_per_result=1, in_flight=0)

    account.run("gate", "--agent-id", "4101", "--agent-id", "4115")

    assert account.query("select distinct agent from cekura.results order by 1") == [(4101,), (4115,)]
    assert account.query("select count(distinct scope) from cekura.sync_log") == [(2,)]


@pytest.mark.long
def test_it_waits_until_results_in_flight_have_finished(
    tested: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = suite(tested, tested.world.clock(), passing=0, status="running")

    def finish() -> None:
        runs = [
            {**run, "status": "completed", "success": False} for run in tested.world.results[started]["runs"]
        ]
        tested.world.edit(started, status="completed", runs=runs)

    clock = NoWaiting(finish)
    monkeypatch.setattr(waiting, "clock", clock)

    ran = gate(tested, "--result-id", str(started))

    assert (ran.code, ran.json["in_flight"]) == (11, [])
    assert clock.slept == [waiting.POLL]


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=2)], ids=["evaluated again", "clock ahead"])
def test_it_waits_for_what_has_just_begun_however_old_it_seems(
    tested: Account, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    if ahead:
        began = suite(tested, tested.world.clock(), passing=0, status="running")
    else:
        began = max(tested.world.results, key=lambda id_: tested.world.results[id_]["created_at"])
        tested.world.edit(began, status="evaluating")
    machine = NoWaiting(lambda: None)
    machine.sleep(ahead)
    monkeypatch.setattr(cekura_clock, "now", machine.now)
    monkeypatch.setattr(waiting, "clock", machine)

    ran = gate(tested, "--last", "5", "--wait", "1m")

    assert (ran.code, [row["result_id"] for row in ran.json["in_flight"]]) == (12, [began])
    assert machine.slept[1:] == [waiting.POLL] * 3


@pytest.mark.long
def test_a_named_result_is_read_again_however_long_ago_it_was_created(
    tested: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = sorted(tested.world.results, key=lambda id_: tested.world.results[id_]["created_at"])[5]
    runs = tested.world.results[older]["runs"]
    tested.world.edit(older, status="running")

    def fail() -> None:
        tested.world.edit(older, status="completed", runs=[{**run, "success": False} for run in runs])

    monkeypatch.setattr(waiting, "clock", NoWaiting(fail))
    options = ("--result-id", str(older), "--page-size", "10")

    ran = gate(tested, *options)

    (agent,) = ran.json["agents"]
    assert (ran.json["in_flight"], agent["passed_runs"], agent["decided_runs"]) == ([], 0, 6)
    tested.world.delete(older)
    ran = gate(tested, *options)
    assert (ran.code, f"has no result {older}" in ran.json["error"]) == (2, True), ran.out


@dataclass(frozen=True)
class Waits:
    """A result that has hung for hours, then one that has just started, and neither ever finishes."""

    by_last: Ran  # while only the first is there
    by_id: Ran
    stopped: Ran  # while it waits for the second
    status_when_stopped: list[tuple[str]]
    unfinished: Ran
    started: int
    without_sync: Ran
    asked: list[Request]  # without a sync
    slept: list[list[timedelta]]  # for the first, second and fourth of these


@pytest.fixture(scope="module")
def waits(new_account_of_many: NewAccount, first_syncs: FirstSyncs) -> Waits:
    account = with_suites(new_account_of_many(results=0, agents=1, now=first_syncs.now()))
    first_syncs.give(account, "--agent-id", str(AGENT), kind=KIND)
    slept: list[list[timedelta]] = []

    def gate_that_waits(*options: str) -> Ran:
        clock = NoWaiting(lambda: None)
        patch.setattr(waiting, "clock", clock)
        slept.append(clock.slept)
        return gate(account, *options)

    def stop() -> None:
        stop_signals.received = signal.SIGTERM
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        stuck = suite(account, account.world.clock() - timedelta(hours=2), passing=0, status="running")
        by_last = gate_that_waits("--last", "5")
        by_id = gate_that_waits("--result-id", str(stuck), "--wait", "20s")
        started = suite(account, account.world.clock(), passing=0, status="running")
        with pytest.MonkeyPatch.context() as signals:
            signals.setattr(waiting, "clock", NoWaiting(stop))
            signals.setattr(stop_signals, "received", None)
            signals.setattr(stop_signals, "committed", False)
            stopped = gate(account, "--result-id", str(started))
        status = account.query(f"select status from cekura.results where id = {started}")
        unfinished = gate_that_waits("--result-id", str(started), "--wait", "50s")
        account.sandbox.reset_requests()
        without_sync = gate(account, "--last", "5", "--no-sync")
    asked = list(account.sandbox.requests)
    return Waits(by_last, by_id, stopped, status, unfinished, started, without_sync, asked, slept)


@pytest.mark.long
def test_a_gate_that_is_stopped_while_it_waits_says_that_what_it_synced_stays(waits: Waits) -> None:
    assert waits.stopped.code == 143
    assert waits.stopped.json["error"] == (
        "Terminated: what earlier syncs wrote stays, nothing else was changed."
    )
    assert waits.status_when_stopped == [("running",)]


@pytest.mark.long
def test_a_gate_keeps_the_profiles_that_it_is_asked_to_keep(tested: Account) -> None:
    held = "select count(*) from cekura.runs where test_profile_data is not null"
    newest = max(tested.world.results)
    runs = [{**run, "test_profile_data": {"name": "Ada"}} for run in tested.world.results[newest]["runs"]]
    tested.world.edit(newest, runs=runs)
    assert tested.sync("--agent-id", str(AGENT), "--profiles").code == 0

    assert gate(tested, "--profiles").code == 0

    assert tested.query(held) == [(6,)]


def test_what_does_not_finish_within_wait_cannot_be_judged(waits: Waits) -> None:
    ran, slept = waits.unfinished, waits.slept[2]

    assert (ran.code, ran.json["in_flight"]) == (12, [{"result_id": waits.started, "status": "running"}])
    assert "1 result is still in flight: choose a longer --wait" in ran.err
    assert slept == [timedelta(seconds=20), timedelta(seconds=20), timedelta(seconds=10)]


def test_a_result_that_hangs_for_hours_is_waited_for_only_by_its_id(waits: Waits) -> None:
    assert (waits.by_last.code, waits.slept[0]) == (0, [])
    assert waits.by_id.code == 12
    assert waits.slept[1] == [waiting.POLL]


def test_without_a_sync_nothing_is_asked_and_nothing_waited_for(waits: Waits) -> None:
    assert (waits.without_sync.code, waits.asked) == (12, [])


def test_without_a_warehouse_and_a_sync_it_exits_9(unsynced: Account) -> None:
    assert gate(unsynced, "--no-sync").code == 9


@pytest.mark.parametrize(
    ("fault", "env", "code"),
    [
        (None, {"CEKURA_API_KEY": "another"}, 3),
        (Fault("error-object"), {}, 5),
        (None, {"CEKURA_API_URL": "http://127.0.0.1:9"}, 4),
    ],
    ids=["key refused", "invalid response", "API down"],
)
def test_a_sync_that_fails_gives_the_gate_its_exit_code(
    tested: Account, fault: Fault | None, env: dict[str, str], code: int
) -> None:
    tested.sandbox.faults.extend([fault] if fault else [])

    ran = gate(tested, **env)

    assert (ran.code, ran.json["outcome"]) == (code, "failed")


def test_the_agent_of_another_account_exits_2(tested: Account) -> None:
    ran = tested.run("gate", "--agent-id", "77")

    assert (ran.code, ran.out) == (2, "")
    assert "no result of agent 77" in ran.err


@pytest.mark.long
def test_a_metric_is_read_with_the_details(new_account: NewAccount) -> None:
    account = new_account(results=8, agents=1, runs_per_result=1, in_flight=0)

    ran = account.run("gate", "--json", "--agent-id", "4101", "--metric", "Nothing of that name")

    assert ran.code == 2
    assert "these have: " in ran.err


def test_a_shared_database_is_judged_like_a_file(unsynced: Account, server: str) -> None:
    shared = Shared(unsynced, server.rpartition("/")[0] + "/warehouse")
    fall(unsynced)

    ran = shared.run("gate", "--json", "--agent-id", str(AGENT), "--last", "5")

    assert (ran.code, ran.json["outcome"]) == (11, "worse")
    assert not unsynced.warehouse.exists()
