"""The promise, held against a world that changes as it likes, before a sync and during it.

The machine remembers every state that the API has shown of every result, and when. It judges each completed sync from
that history and from what a reader finds in the warehouse, never from what the program keeps or says about itself.
CEKURA_TEST_EXAMPLES and CEKURA_TEST_STEPS make the search longer and give it new luck, CEKURA_TEST_SHRINK makes a failure short.
"""

import errno
import hashlib
import itertools
import json
import os
import shutil
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from cekura_sync import clock
from cekura_sync.diff import scan
from cekura_sync.sandbox import Answer, Fault, Request, Sandbox, World
from support.harness import EPOCH, Account, NewAccount, Ran, Record, assert_same
from support.rare import rare

EXAMPLES = int(os.environ.get("CEKURA_TEST_EXAMPLES", "0"))
STEPS = int(os.environ.get("CEKURA_TEST_STEPS", "16"))
# For as many processors; each has its own luck, always the same unless CEKURA_TEST_EXAMPLES asks for more.
SHARDS = 4 if EXAMPLES else 2
SHRINK = bool(os.environ.get("CEKURA_TEST_SHRINK"))  # minutes, for a failure that is a few steps long

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
IN_FLIGHT = ("pending", "in_queue", "scaling_up", "running", "in_progress", "evaluating")
DAY = timedelta(days=1)
KEPT = timedelta(days=90)  # what is older may be missing because the vendor no longer keeps it
LOOKBACKS = {"1h": timedelta(hours=1), "24h": DAY, "7d": 7 * DAY}
TIES = "created_desc_ties_each_time"
QUICK = ("--full-every", "0", "--lookback")
EVERYTHING: tuple[str, str] | None = None
AGED = "select id from cekura.results where aged_out_at is not null and deleted_at is null"

Scope = tuple[str, str] | None


class Clock:
    """The time of the world and of the program; it moves only when told to."""

    def __init__(self) -> None:
        self.time = BEGIN

    def __call__(self) -> datetime:
        return self.time


@dataclass(frozen=True)
class State:
    """What the API showed of one result from a moment on; `record` is None while it does not list it."""

    place: int  # among all changes of the account
    at: datetime
    record: Record | None


class Past:
    """Every state of every result."""

    def __init__(self) -> None:
        self.states: dict[int, list[State]] = {}
        self.place = 0
        self.listed_by: dict[int, set[int]] = {}  # run → the results that have ever listed it

    def observe(self, api: dict[int, Record], at: datetime) -> None:
        self.place += 1
        for id_ in self.states.keys() | api.keys():
            states, record = self.states.setdefault(id_, []), api.get(id_)
            if (states[-1].record if states else None) != record:
                states.append(State(self.place, at, record))
                for run in record["runs"] if record else ():
                    self.listed_by.setdefault(run[0], set()).add(id_)

    @property
    def shared(self) -> dict[int, set[int]]:
        """The runs that several results have listed."""
        return {run: results for run, results in self.listed_by.items() if len(results) > 1}

    def alike(self, record: Record | None, other: Record | None) -> bool:
        """But for shared runs, which are judged by themselves."""
        return self.without_shared(record) == self.without_shared(other)

    def without_shared(self, record: Record | None) -> Record | None:
        if record is None:
            return None
        runs = [run for run in record["runs"] if len(self.listed_by.get(run[0], ())) < 2]
        return record | {"runs": runs}

    def now(self, id_: int) -> Record | None:
        return self.states[id_][-1].record

    def last_known(self, id_: int) -> Record:
        return next(state.record for state in reversed(self.states[id_]) if state.record is not None)

    def was(self, id_: int, place: int) -> Record | None:
        records = [state.record for state in self.states[id_] if state.place <= place]
        return records[-1] if records else None

    def quiet_since(self, id_: int, place: int) -> bool:
        return self.states[id_][-1].place <= place

    def in_flight_since(self, id_: int, record: Record) -> datetime | None:
        """When the newest uninterrupted flight began in which the API showed this record."""
        began = found = None
        for state in self.states[id_]:
            flying = state.record is not None and state.record["status"] in IN_FLIGHT
            began = (began or state.at) if flying else None
            found = began if self.alike(state.record, record) else found
        return found


def created(record: Record) -> datetime:
    return EPOCH + timedelta(microseconds=record["created_at"])


def made_before_all(id_: int, record: Record, others: dict[int, Record]) -> bool:
    """By its time or by its id; false if there are no others."""
    oldest = min(map(created, others.values()), default=EPOCH)
    return created(record) < oldest or id_ < min(others, default=id_)


def matches(record: Record, scope: Scope) -> bool:
    """What the API's filters mean."""
    if scope is None:
        return True
    name, value = scope
    if name == "--agent-id":
        return record["agent"] == int(value)
    if name == "--search":
        return value.lower() in record["name"].lower()
    return any(run[3] == int(value) for run in record["runs"])


class Killed(BaseException):
    """Stands for kill -9: nothing that the process does afterwards reaches the disk."""


class Killer:
    """Lets so many changes to the warehouse's files happen, then none."""

    def __init__(self, warehouse: Path, after: int) -> None:
        self.left = after
        self.dead = False
        self._folder = f"{warehouse.parent}{os.sep}"
        self._skip = (
            f"{warehouse}.d/scratch/dlt"  # inside a load, only real processes are killed: see test_kill
        )

    def __call__(self, path: object) -> None:
        if (
            not isinstance(path, str | os.PathLike)
            or threading.current_thread() is not threading.main_thread()
        ):
            return
        name = os.fspath(path)
        if not name.startswith(self._folder) or name.startswith(self._skip):
            return
        self.left -= 1
        if self.left < 0:
            self.dead = True
            raise Killed


killer: Killer | None = None
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.copyfile", "shutil.rmtree")


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if killer is None:
        return
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writing or event in WRITES:
        killer(arguments[1] if event == "shutil.copyfile" else arguments[0])


sys.addaudithook(_watch)


@contextmanager
def killing(warehouse: Path, after: int) -> Iterator[Killer]:
    global killer
    killer = Killer(warehouse, after)
    try:
        yield killer
    finally:
        killer = None


# How an account changes; each takes the world and a number that says which result.
Change = Callable[[World, int], object]


def _one_of(ids: list[int], pick: int) -> list[int]:
    return [ids[pick % len(ids)]] if ids else []


def _each(which: Callable[[World], list[int]], change: Callable[[World, int], object]) -> Change:
    def apply(world: World, pick: int) -> None:
        for id_ in _one_of(which(world), pick):
            change(world, id_)

    return apply


def _all(world: World) -> list[int]:
    return sorted(world.results)


def _recent(world: World) -> list[int]:
    return _all(world)[-15:]


def _old(world: World) -> list[int]:
    return _all(world)[: len(world.results) // 2]


def _flying(world: World) -> list[int]:
    return [id_ for id_ in _all(world) if world.results[id_]["status"] in IN_FLIGHT]


def _gone(world: World) -> list[int]:
    return sorted(world._gone)


def _rename(world: World, id_: int) -> None:
    world.edit(id_, name=f"Prompt review {world.version}")


def _forget_scenario_ids(world: World, id_: int) -> None:
    """What is left when a scenario was deleted: a name without an id."""
    world.touchless_edit(id_, runs=[run | {"scenario": None} for run in world.results[id_]["runs"]])


def _at_one_time(world: World, pick: int) -> None:
    """A batch: all created at one instant, which may be that of an older result."""
    moment = world.now() - timedelta(minutes=pick % 90) if pick % 2 else created_at(world, pick)
    world.insert(3 + pick % 9, created_at=moment)


def created_at(world: World, pick: int) -> datetime:
    (id_,) = _one_of(_recent(world), pick) or [None]
    return datetime.fromisoformat(world.results[id_]["created_at"]) if id_ else world.now()


def _reassign(world: World, id_: int) -> None:
    agent = world.agents[world.version % len(world.agents)]
    world.edit(id_, agent=agent.id, agent_name=agent.name)


def _share_a_run(world: World, id_: int) -> None:
    """A newer result lists a run of this one too."""
    ids = _all(world)
    others = ids[ids.index(id_) + 1 :][:3]
    for other in _one_of(others, id_) if world.results[id_]["runs"] else ():
        taken = {run["id"] for run in world.results[other]["runs"]}
        new = [run for run in world.results[id_]["runs"][:1] if run["id"] not in taken]
        world.edit(other, runs=[*world.results[other]["runs"], *new])


numbers = st.integers(0, 10_000)

ARRIVALS: dict[str, Change] = {
    "insert": lambda world, pick: world.insert(1 + pick % 7),
    "start": lambda world, pick: world.start(1 + pick % 2),
    "at one time": _at_one_time,
    "show late": lambda world, pick: world.insert_late(1 + pick % 3, age=timedelta(hours=pick % 60)),
    "date one wrongly": lambda world, pick: world.insert_late(1, age=timedelta(days=80 + pick % 4000)),
}
PROGRESS: dict[str, Change] = {
    "finish": _each(_flying, lambda world, id_: world.finish([id_])),
    "finish all": lambda world, _: world.finish(),
    "cancel": _each(_flying, lambda world, id_: world.edit(id_, status="cancelled")),
    "rerun": _each(_all, World.rerun),
    "rerun a recent one": _each(_recent, World.rerun),
}
EDITS: dict[str, Change] = {
    "edit a recent one": _each(_recent, _rename),
    "edit an old one": _each(_old, _rename),
    "edit without a trace": _each(
        _all, lambda world, id_: world.touchless_edit(id_, success_rate=0.5, met_expected_outcome_count=0)
    ),
    "give another agent": _each(_all, _reassign),
    "forget scenario ids": _each(_all, _forget_scenario_ids),
    "share a run": _each(_all, _share_a_run),
    "share a run of a recent one": _each(_recent, _share_a_run),
    "drop runs": _each(_all, lambda world, id_: world.drop_runs(id_, keep=id_ % 2)),
}
# Runs alone tell of these.
ONLY_RUNS = {"forget scenario ids", "share a run", "share a run of a recent one"}
DELETIONS: dict[str, Change] = {
    "delete": _each(_all, World.delete),
    "delete a recent one": _each(_recent, World.delete),
    "keep the oldest no longer": lambda world, pick: [
        world.delete(id_) for id_ in _all(world)[: 1 + pick % 5]
    ],
}
RESTORES: dict[str, Change] = {"restore": _each(_gone, World.restore)}
CHANGES = ARRIVALS | PROGRESS | EDITS | DELETIONS | RESTORES

Step = tuple[str, int]  # a kind of change, and the number that says which result


def steps(kinds: dict[str, Change]) -> st.SearchStrategy[Step]:
    return st.tuples(st.sampled_from(sorted(kinds)), numbers)


fault_kinds = st.sampled_from(
    [
        "429",
        "500",
        "503",
        "401",
        "403",
        "html",
        "error-object",
        "truncate",
        "disconnect",
        "redirect",
        "garbage",
    ]
)


class Promise(RuleBasedStateMachine):
    """An account that changes, and a warehouse that follows it as well as it promised."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.clock = Clock()
        self.past = Past()
        self.last_started: dict[Scope, datetime] = {}
        # By this machine's clock, which may be wrong: when each sync began, and each full one.
        self.started: dict[Scope, list[datetime]] = {}
        self.started_in_full: dict[Scope, list[datetime]] = {}
        self.ahead = self.most_ahead = timedelta()  # this machine's clock; the most that it has been wrong
        self.date_off = timedelta()  # by how much the API's Date is wrong in every other answer
        self.aged: dict[int, Scope] = {}  # what has aged out, and by whose list
        self.failing: dict[int, Answer] = {}  # results whose own address brings nothing, one at most
        self.have_failed: set[int] = set()
        # When each sync that failed began by its own clock → its scope, the state of the account, and when that really was.
        self.interrupted: dict[datetime, tuple[Scope, int, datetime]] = {}

    @initialize(
        results=st.integers(20, 60),
        seed=st.integers(0, 999),
        cap=st.integers(8, 11),
        days=st.sampled_from([2, 20, 120]),
        count=st.sampled_from(["right", "zero", "wrong", "missing"]),
        shape=st.sampled_from(["observed", "literal"]),
        concurrency=st.sampled_from([1, 8]),
        silent=st.sampled_from([True, False]),
        batch=st.sampled_from([1, 25, 5000]),
    )
    def open_an_account(
        self,
        results: int,
        seed: int,
        cap: int,
        days: int,
        count: str,
        shape: str,
        concurrency: int,
        silent: bool,
        batch: int,
    ) -> None:
        """`silent`: after the first sync the list leaves out the runs; then only a result's own address shows them."""
        folder = Path(tempfile.mkdtemp(prefix="promise-"))
        self.stack.callback(shutil.rmtree, folder)
        world = World(results, agents=3, runs_per_result=2, days=days, seed=seed, now=BEGIN, in_flight=3)
        world.clock = self.clock
        sandbox = self.stack.enter_context(Sandbox(world, page_size_cap=cap, count=count, shape=shape))
        sandbox.date = self.clock
        self.account = Account(sandbox, folder / "warehouse.duckdb")
        self.concurrency = concurrency
        self.becomes_silent = silent
        sandbox.intercept = self.failed
        self.stack.enter_context(mock.patch.object(clock, "now", self.time_here))
        self.stack.enter_context(mock.patch.object(scan, "BATCH_ROWS", batch))
        self.observe()

    def time_here(self) -> datetime:
        return self.world.now() + self.ahead

    def failed(self, request: Request) -> Answer | None:
        return next(
            (answer for id_, answer in self.failing.items() if request.path.endswith(f"/{id_}/")), None
        )

    def teardown(self) -> None:
        self.stack.close()

    @property
    def world(self) -> World:
        return self.account.world

    def observe(self) -> None:
        self.past.observe(self.account.api(), self.clock.time)

    def change(self, change: Step) -> None:
        if self.becomes_silent and change[0] in ONLY_RUNS:
            return  # nothing that such a list shows tells of it
        with self.world.lock:
            CHANGES[change[0]](self.world, change[1])
            self.observe()

    # -- what happens to the account ------------------------------------------------------------------------------

    @rule(arrivals=st.lists(steps(ARRIVALS), min_size=1, max_size=3))
    def results_arrive(self, arrivals: list[Step]) -> None:
        for step in arrivals:
            self.change(step)

    @rule(step=steps(PROGRESS))
    def a_result_finishes_or_runs_again(self, step: Step) -> None:
        self.change(step)

    @rule(edits=st.lists(steps(EDITS), min_size=1, max_size=3))
    def results_are_edited(self, edits: list[Step]) -> None:
        for step in edits:
            self.change(step)

    @rule(deletions=st.lists(steps(DELETIONS), min_size=1, max_size=3))
    def results_are_deleted(self, deletions: list[Step]) -> None:
        for step in deletions:
            self.change(step)

    @rule(step=steps(RESTORES))
    def a_deleted_result_comes_back(self, step: Step) -> None:
        self.change(step)

    @rule(share=st.sampled_from([3, 2, 1]), pick=numbers)
    def many_are_deleted(self, share: int, pick: int) -> None:
        if pick % 4 == 0:
            for id_ in _all(self.world)[pick % share :: share]:
                self.world.delete(id_)
            self.observe()

    @rule(days=st.sampled_from([91, 100, 110]))
    def the_vendor_keeps_no_longer(self, days: int) -> None:
        for id_, record in self.account.api().items():
            if created(record) < self.clock.time - timedelta(days=days):
                self.world.delete(id_)
        self.observe()

    @rule(pick=numbers, status=st.sampled_from([200, 400, 403, 410, 500]))
    def an_address_fails_alone_or_recovers(self, pick: int, status: int) -> None:
        ids = [] if self.failing else _one_of(_flying(self.world) or _all(self.world), pick)
        self.failing = {id_: Answer(status, b'{"detail": "Not this one."}') for id_ in ids}
        self.have_failed |= {*self.failing}

    @rule(hours=st.sampled_from([0.2, 3, 11, 23, 30, 80, 24 * 40]))
    def time_passes(self, hours: float) -> None:
        self.clock.time += timedelta(hours=hours)

    @rule(
        ahead=st.sampled_from(
            [timedelta(), timedelta(hours=5), timedelta(hours=-5), -2 * DAY, 400 * DAY, -400 * DAY]
        )
    )
    def this_machines_clock_jumps_until_it_is_set_right(self, ahead: timedelta) -> None:
        self.ahead = timedelta() if self.ahead or self.date_off else ahead
        self.most_ahead = max(self.most_ahead, abs(self.ahead))

    @rule(days=st.sampled_from([2, 269, -269]))
    def the_date_of_every_other_answer_is_wrong_until_it_is_right(self, days: int) -> None:
        """One wrong clock is to do no harm; if this machine's is wrong too, nothing is promised."""
        self.date_off = timedelta() if self.date_off or self.ahead else timedelta(days=days)
        answers = itertools.count()
        self.account.sandbox.date = lambda: self.clock() + next(answers) % 2 * self.date_off

    @rule(next_=st.sampled_from(["right", "early", "never", "always"]))
    def the_api_is_wrong_about_the_next_page(self, next_: str) -> None:
        def rewrite(request: Request, payload: dict[str, Any]) -> None:
            if "results" not in payload:
                return
            asked = int(request.query.get("page", 1)), request.query.get("page_size")
            if next_ == "always":
                payload["next"] = f"{self.account.sandbox.url}{request.path}?page={asked[0] + 1}"
            elif next_ == "never" or zlib.crc32(repr(asked).encode()) % 3 == 0:
                payload["next"] = None

        self.account.sandbox.rewrite = None if next_ == "right" else rewrite

    @rule(order=st.sampled_from(["created_desc", "created_desc", "id_desc", "updated_desc", TIES]))
    def the_api_lists_in_another_order(self, order: str) -> None:
        self.account.sandbox.change(order=order)

    @rule(cap=st.integers(4, 11))
    def the_api_changes_its_cap(self, cap: int) -> None:
        self.account.sandbox.change(page_size_cap=cap)

    # -- what the user does ---------------------------------------------------------------------------------------

    @rule(look_first=st.booleans())
    def sync_in_full(self, look_first: bool) -> None:
        if look_first:
            before = self.fingerprint()
            ran = self.account.sync("--full", "--dry-run", "--allow-mass-delete")
            if ran.code:
                self.judge_refusal(ran, EVERYTHING, self.stored(), calm=True)
            assert self.fingerprint() == before
        self.sync("--full")

    @rule(options=st.sampled_from([(), *((*QUICK, lookback) for lookback in LOOKBACKS)]))
    def sync_quickly(self, options: tuple[str, ...]) -> None:
        self.sync(*options)

    @rule(pick=numbers, kind=st.sampled_from(["--agent-id", "--search", "--scenarios"]), full=st.booleans())
    def sync_a_part(self, pick: int, kind: str, full: bool) -> None:
        self.sync(*(("--full",) if full else ()), scope=self.scope(kind, pick))

    @rule(
        pick=numbers,
        hours=st.sampled_from([0.2, 3, 20]),
        ending=st.sampled_from(["finish all", "cancel", "delete", "edit"]),
        lookback=st.sampled_from(["1h", "24h"]),
    )
    def an_old_result_runs_again_and_ends_between_two_syncs(
        self, pick: int, hours: float, ending: str, lookback: str
    ) -> None:
        for id_ in _one_of(_old(self.world), pick)[pick % 3 :]:  # two syncs: not every time
            self.world.rerun(id_)
            self.observe()
            self.sync("--full")
            self.clock.time += timedelta(hours=hours)
            if ending == "delete":
                self.world.delete(id_)
            elif ending == "edit":
                self.world.edit(id_, name="still running")
            else:
                CHANGES[ending](self.world, pick)
            self.observe()
            self.sync(*QUICK, lookback)

    @rule(
        arrivals=st.sampled_from([0, 12, 25]),
        plan=st.lists(
            st.tuples(st.integers(1, 8), st.one_of(steps(CHANGES), steps(DELETIONS))), min_size=1, max_size=6
        ),
        full=st.booleans(),
        pick=numbers,
        kind=st.sampled_from([None, None, None, "--agent-id"]),
        cap=st.sampled_from([None, None, 4, 7]),
        cached=st.booleans(),
    )
    def sync_while_the_account_changes(
        self,
        arrivals: int,
        plan: list[tuple[int, Step]],
        full: bool,
        pick: int,
        kind: str | None,
        cap: int | None,
        cached: bool,
    ) -> None:
        """`cap`: the API lowers it meanwhile. `cached`: what is asked twice gets its old answer."""
        self.world.insert(arrivals)
        self.observe()

        def after(request: Request) -> None:
            for index, change in plan:
                if index == request.index:
                    self.change(change)
            if cap is not None and request.index == 1 + pick % 6:
                self.account.sandbox.change(page_size_cap=cap)

        sandbox, answers = self.account.sandbox, dict[str, Answer]()

        def from_cache(request: Request) -> Answer | None:
            if (answer := self.failed(request)) is None and cached and "page=" in request.target:
                if request.target not in answers:
                    answers[request.target] = sandbox._service.answer(request, sandbox.rewrite)
                date = format_datetime(sandbox.date(), usegmt=True)
                answer = replace(
                    answers[request.target], headers={"Date": date, **answers[request.target].headers}
                )
            return answer

        sandbox.after, sandbox.intercept = after, from_cache
        try:
            self.sync(*(("--full",) if full else ()), scope=self.scope(kind, pick), calm=False)
        finally:
            sandbox.after, sandbox.intercept = None, self.failed

    @rule(kind=fault_kinds, first=st.integers(1, 6), change=steps(CHANGES), full=st.booleans())
    def sync_while_the_api_is_down(self, kind: str, first: int, change: Step, full: bool) -> None:
        self.change(change)
        self.account.sandbox.faults = [Fault(kind, first=first, retry_after=10**6)]
        self.sync(*(("--full",) if full else ()), calm=False)
        self.account.sandbox.faults = []

    @rule(
        kind=st.sampled_from(["429", "500", "html", "truncate", "disconnect", "garbage"]), full=st.booleans()
    )
    def sync_while_the_api_stumbles(self, kind: str, full: bool) -> None:
        self.account.sandbox.faults = [Fault(kind, probability=0.2, retry_after=0)]
        self.sync(*(("--full",) if full else ()), calm=False)
        self.account.sandbox.faults = []

    @rule(
        requests=st.lists(st.integers(2, 9), min_size=1, max_size=3),
        changes=st.lists(st.one_of(steps(CHANGES), steps(ARRIVALS)), min_size=3, max_size=3),
        hours=st.sampled_from([0, 0, 2, 23, 25]),
    )
    def a_full_sync_is_interrupted_and_taken_up(
        self, requests: list[int], changes: list[Step], hours: float
    ) -> None:
        for first, change in zip(requests, changes, strict=False):
            self.account.sandbox.faults = [Fault("503", first=first)]
            self.sync("--full", calm=False)
            self.account.sandbox.faults = []
            self.change(change)
            self.clock.time += timedelta(hours=hours)
        self.sync("--full")

    @rule(after=st.integers(0, 30), change=steps(CHANGES), full=st.booleans())
    def a_sync_is_killed(self, after: int, change: Step, full: bool) -> None:
        self.change(("insert", 0))  # so that there is something to write
        self.change(change)
        with killing(self.account.warehouse, after) as killer:
            self.sync(*(("--full",) if full else ()), killer=killer)

    @rule(command=st.sampled_from([("build",), ("erase", "--result", str(10**12))]))
    def the_file_is_made_anew_without_a_sync(self, command: tuple[str, ...]) -> None:
        if self.last_started:
            before, waiting = self.stored(), self.waiting_syncs()

            assert self.account.run(*command).code == 0

            assert self.stored() == before
            logged = self.account.query("select finished_at from cekura.sync_log")
            assert waiting <= {at for (at,) in logged}

    # -- what is promised -----------------------------------------------------------------------------------------

    def waiting_syncs(self) -> set[datetime]:
        """When those completed that changed nothing since the file was published."""
        ((generation,),) = self.account.query("select max(generation) from cekura.sync_log")
        with suppress(FileNotFoundError):
            lines = (self.account.home / "pending_log.jsonl").read_text().splitlines()
            return {
                datetime.fromisoformat(entry["finished_at"])
                for entry in map(json.loads, lines)
                if entry["generation"] == generation
            }
        return set()

    def scope(self, kind: str | None, pick: int) -> Scope:
        if kind is None:
            return EVERYTHING
        agent = self.world.agents[pick % len(self.world.agents)]
        if kind == "--agent-id":
            return kind, str(agent.id)
        if kind == "--search":
            return kind, ("smoke", "Prompt review", "NIGHTLY")[pick % 3]
        return kind, str(agent.scenarios[pick % 2].id)

    def fingerprint(self) -> str | None:
        published = self.account.warehouse
        return hashlib.sha256(published.read_bytes()).hexdigest() if published.exists() else None

    def stored(self) -> dict[int, Record]:
        """What a reader finds; runs that the warehouse calls unknown are taken for those that the API showed with the rest."""
        records = self.account.stored()
        query = "select result_id from analytics.live_results where not runs_known"
        unknown = [id_ for (id_,) in self.account.query(query)] if records else []
        self.runs = {id_: record["runs"] for id_, record in records.items()}
        self.rated = records | {id_: records[id_] | {"runs": []} for id_ in unknown}
        for id_ in unknown:
            shown = (state.record for state in reversed(self.past.states[id_]) if state.record)
            alike = (record for record in shown if record | {"runs": []} == self.rated[id_])
            records[id_] = next(alike, records[id_])
        return records

    def sync(
        self, *options: str, scope: Scope = EVERYTHING, calm: bool = True, killer: Killer | None = None
    ) -> None:
        """Sync, and judge what a reader finds then. `calm`: nothing stands in its way, so it has to succeed."""
        self.clock.time += timedelta(minutes=1)
        began, place = self.clock.time, self.past.place
        before, fingerprint = self.stored(), self.fingerprint()
        self.account.sandbox.reset_requests()
        ran = self.account.sync(*options, *(scope or ()), "--concurrency", str(self.concurrency))
        after = self.stored()

        here = began + self.ahead
        known = [moment for moment in self.started_in_full.get(scope, []) if moment <= here]
        full = "--full" in options or not known
        if "--full-every" not in options and known:
            full |= here - max(known) >= DAY  # "at most a day by default"
        if ran.code:
            self.interrupted[here] = (scope, place, began)
        if killer is not None and killer.dead:
            if self.fingerprint() == fingerprint:
                return
            began, place = self.first_start(scope, began, place)
        elif ran.code:
            assert self.fingerprint() == fingerprint, f"exit {ran.code} changed the warehouse"
            assert ran.json["outcome"] == "failed"
            self.judge_refusal(ran, scope, before, calm)
            if ran.code == 7:
                self.sync(*options, "--allow-mass-delete", scope=scope, calm=calm, killer=killer)
            return
        else:
            assert self.ahead <= 2 * DAY, "a clock that is far ahead was believed"
            assert ran.json["results"] == len(after)
            assert ran.json["in_flight"] == sum(record["status"] in IN_FLIGHT for record in after.values())
            assert ran.json["mode"] == "full" or not full
            full |= ran.json["mode"] == "full"
            if "started_at" in ran.json:
                counts_from = datetime.fromisoformat(ran.json["started_at"])
                assert full
                assert counts_from < here
                assert here - counts_from < DAY
                here = max(at for at in self.interrupted if at <= counts_from)
                interrupted, place, began = self.interrupted[here]
                assert interrupted == scope
        lookback = options[options.index("--lookback") + 1] if "--lookback" in options else "24h"
        # The sync reads back from its last one by its own clock, which may have been ahead.
        starts = [moment for moment in self.started.get(scope, []) if moment <= here]
        since = None if full else max(self.last_started[scope], *starts) - LOOKBACKS[lookback]
        self.judge(scope, since, began, place, before, after)
        if "--allow-mass-delete" not in options:
            vanished = [id_ for id_ in before.keys() - after.keys() if matches(before[id_], scope)]
            assert len(vanished) <= max(20, 0.05 * len(before)), "so many deletions were to be refused"
        self.judge_rates(self.rated)
        if self.becomes_silent:
            self.account.sandbox.change(summaries=False)
        self.last_started[scope] = began
        self.started.setdefault(scope, []).append(here)
        if full:
            self.started_in_full.setdefault(scope, []).append(here)

    def first_start(self, scope: Scope, began: datetime, place: int) -> tuple[datetime, int]:
        """The earliest from which a sync may count that was killed once readers had its file, and said nothing."""
        starts = [(at, state) for mine, state, at in self.interrupted.values() if mine == scope]
        return min(
            (at, state) for at, state in (*starts, (began, place)) if began - at < DAY + 2 * self.most_ahead
        )

    def judge_refusal(self, ran: Ran, scope: Scope, before: dict[int, Record], calm: bool) -> None:
        if ran.code == 2:
            # An API whose results are all that old may be the one that knows the date.
            assert self.ahead > DAY or self.date_off < -DAY, ran.err
            return
        listed = [record for record in self.account.api().values() if matches(record, scope)]
        calm = calm and (not self.failing or len(listed) > 1)
        # Equal times in another sequence for each page: where many have one time, nothing can be proved.
        calm = calm and not (ran.code == 6 and self.account.sandbox.options.order == TIES)
        mine = [id_ for id_, record in before.items() if matches(record, scope)]
        gone = [id_ for id_ in mine if self.past.now(id_) is None]
        if ran.code == 7:
            assert len(gone) > max(20, 0.05 * len(mine)) or not {*mine} - {*gone} - self.aged.keys(), ran.err
        elif calm:
            raise AssertionError(f"exit {ran.code} without a reason: {ran.err}")
        else:
            assert ran.code in (3, 4, 5, 6), ran.err

    def judge(
        self,
        scope: Scope,
        since: datetime | None,
        began: datetime,
        place: int,
        before: dict[int, Record],
        after: dict[int, Record],
    ) -> None:
        """A completed sync. `since`: where the lookback of a quick sync ends; None for a full one."""
        judgeable = scope is None or scope[0] == "--agent-id" or {*self.last_started} <= {scope}
        # What was listed at the sync's start and at its end: either may have been seen.
        listed = [
            {id_: record for id_, record in records.items() if record and matches(record, scope)}
            for records in ({id_: self.past.was(id_, place) for id_ in self.past.states}, self.account.api())
        ]
        aged = {id_ for (id_,) in self.account.query(AGED)}
        failed = {*self.failed_by_id()}
        assert failed <= self.have_failed
        expected, found = dict[int, Record](), dict[int, Record]()
        for id_ in self.past.states:
            now, last = self.past.now(id_), self.past.last_known(id_)
            mine = matches(last, scope)
            if id_ in after:
                states = [state.record for state in self.past.states[id_]]
                assert any(self.past.alike(after[id_], state) for state in states), (
                    f"the API never showed result {id_} like this"
                )
            if not mine and (id_ not in before or not matches(before[id_], scope)):
                # It may be read anew, as a row in flight is; it may neither come nor go.
                assert (id_ in after) == (id_ in before), f"result {id_} of another scope was touched"
            old = {created(last) < began - KEPT and made_before_all(id_, last, records) for records in listed}
            if id_ in aged and id_ not in self.aged:
                assert True in old or listed[0].keys() != listed[1].keys(), f"result {id_} has not aged out"
            if not mine or not self.past.quiet_since(id_, place) or id_ in failed:
                continue
            covered = since is None or created(last) >= since
            if id_ in before and before[id_]["status"] in IN_FLIGHT:
                flight = self.past.in_flight_since(id_, before[id_])
                # How long it has been in flight, the sync knows by its own clock alone.
                covered |= flight is not None and began - flight + 2 * self.most_ahead < DAY
            if not covered or (now is None and not judgeable):
                continue
            if now is None and since is not None and created(last) < began - KEPT + DAY:
                continue  # whether it has aged out, the next full sync tells
            # By the list of everything, what has aged out by a narrower one is judged again.
            judged_again = since is None and scope is EVERYTHING and self.aged.get(id_) is not EVERYTHING
            if now is None and id_ in before and (True in old or (id_ in self.aged and not judged_again)):
                assert False in old or id_ in after, f"result {id_} has aged out and was to stay"
                continue
            if now is not None:
                expected[id_] = self.past.without_shared(now)
                assert id_ not in aged, f"result {id_} is listed"
            if id_ in after:
                shown = after[id_] | {"runs": self.runs[id_] or after[id_]["runs"]}
                found[id_] = self.past.without_shared(shown)
        assert_same(found, expected)
        self.aged = {id_: self.aged.get(id_, scope) for id_ in aged}
        if since is None and scope is EVERYTHING:
            self.judge_shared_runs(place, after)

    def judge_shared_runs(self, place: int, after: dict[int, Record]) -> None:
        """Each belongs to the newest result that lists it."""
        owners: dict[int, list[int]] = {}
        for id_, record in after.items():
            for run in record["runs"]:
                owners.setdefault(run[0], []).append(id_)
        for run, results in self.past.shared.items():
            listed = [id_ for id_ in results if _lists(self.past.now(id_), run)]
            if listed and all(self.past.quiet_since(id_, place) for id_ in results):
                assert owners.get(run) == [max(listed)], f"run {run} is listed by {sorted(listed)}"

    def failed_by_id(self) -> list[int]:
        """Results of which the warehouse says that they could not be had; they may be stale."""
        rows = self.account.query("select id from cekura.rejected_rows where reason like 'by id: %'")
        return [id_ for (id_,) in rows]

    def judge_rates(self, stored: dict[int, Record]) -> None:
        """The view, against a recomputation from the stored rows; every result's runs have been counted."""
        uncounted = "select id from cekura.results where deleted_at is null and _runs_listed is null"
        assert self.account.query(uncounted) == []
        sums: dict[int, Counter[str]] = {}
        for record in stored.values():
            sums.setdefault(record["agent"], Counter()).update(_tally(record))
        expected = {
            agent: (
                tally["completed"],
                tally["decided"],
                tally["passed"],
                _ratio(tally["passed"], tally["decided"]),
                _ratio(tally["passed"], tally["runs"] + tally["broken_runs"]),
                _ratio(tally["met"], tally["expected"]),
                _ratio(tally["broken"], tally["completed"] + tally["broken"]),
            )
            for agent, tally in sums.items()
        }
        rows = self.account.query(
            "select agent_id, completed_results, decided_runs, passed_runs, pass_rate, strict_pass_rate,"
            " expected_outcome_rate, infrastructure_failure_rate from analytics.agent_pass_rate"
        )
        assert {agent: pytest.approx(figures) for agent, *figures in rows} == {
            agent: [*figures] for agent, figures in expected.items()
        }


def _lists(record: Record | None, run: int) -> bool:
    return record is not None and any(one[0] == run for one in record["runs"])


def _tally(record: Record) -> Counter[str]:
    """What a pass is, told once more."""
    total = record["total_runs_count"]
    verdicts = [None if run[1] in ("failed", "timeout") else run[2] for run in record["runs"]]
    if record["status"] in ("failed", "timeout"):
        return Counter(broken=1, broken_runs=total)
    if record["status"] != "completed":
        return Counter()
    won, lost = record["success_runs_count"], record["failed_runs_count"]
    if len(verdicts) == total and any(isinstance(verdict, bool) for verdict in verdicts):
        passed, decided = verdicts.count(True), verdicts.count(True) + verdicts.count(False)
    elif (
        won + lost <= record["completed_runs_count"] <= total
        and abs(record["success_rate"] * total - won) <= 0.5
    ):
        passed, decided = won, won + lost
    else:
        passed, decided = int(record["success_rate"] * total + 0.5), total
    return Counter(
        completed=1,
        runs=total,
        decided=decided,
        passed=passed,
        met=record["met_expected_outcome_count"],
        expected=record["total_expected_outcome_count"],
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_happens_each_completed_sync_keeps_the_promise(shard: int) -> None:
    class Shard(Promise): ...

    run_state_machine_as_test(
        Shard if EXAMPLES else seed(shard)(Shard),
        settings=settings(
            max_examples=-(-(EXAMPLES or 2 * SHARDS) // SHARDS),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate, *([Phase.shrink] if SHRINK else [])],
            suppress_health_check=[*HealthCheck],
        ),
    )


# -- single sentences of the promise, told once each ---------------------------------------------------------------


@dataclass(frozen=True)
class Flights:
    """Three results below the lookback, in flight at the first sync. Then one finishes, one is deleted, one ages out."""

    finished: int
    deleted: int
    aged: int
    quick: Ran
    found: dict[int, Record]  # by a reader after the quick sync
    listed: dict[int, Record]
    full: Ran  # after the quick one
    found_in_full: dict[int, Record]
    aged_out: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def flights(new_account_of_many: NewAccount) -> Flights:
    account = new_account_of_many(results=60, in_flight=0, days=120, page_size_cap=20)
    aged, *others = sorted(account.world.results)
    finished, deleted, *_ = (id_ for id_ in others if _is_kept(account, id_))
    for id_ in (aged, finished, deleted):
        account.world.rerun(id_)
    assert account.sync().code == 0
    account.world.finish([finished])
    account.world.delete(deleted)
    account.world.delete(aged)
    quick, found, listed = account.sync(), account.stored(), account.api()
    full = account.sync("--full")
    aged_out = account.query("select id from cekura.results where aged_out_at is not null")
    return Flights(finished, deleted, aged, quick, found, listed, full, account.stored(), aged_out)


def _is_kept(account: Account, id_: int) -> bool:
    return account.world.now() - datetime.fromisoformat(account.world.results[id_]["created_at"]) < KEPT - DAY


@pytest.mark.long
def test_a_result_in_flight_below_the_lookback_is_followed_until_its_end(flights: Flights) -> None:
    assert flights.quick.json["mode"] == "quick"
    assert flights.found[flights.finished]["status"] == "completed"
    assert flights.deleted not in flights.found
    assert_same({id_: row for id_, row in flights.found.items() if id_ != flights.aged}, flights.listed)


def test_a_result_in_flight_that_ages_out_is_left_to_the_next_full_sync(flights: Flights) -> None:
    assert (flights.quick.json["mode"], flights.quick.json["deleted"]) == ("quick", 1), "the other one"
    assert flights.aged in flights.found


def test_a_result_in_flight_that_ages_out_is_not_deleted_too(flights: Flights) -> None:
    ran = flights.full

    assert (ran.json["deleted"], ran.json["results"], ran.json["in_flight"]) == (0, 59, 1)
    assert flights.aged in flights.found_in_full
    assert flights.aged_out == [(flights.aged,)]


RUNS = "select id, status, success from cekura.runs where result_id = {} order by id"
FOLLOWED = "select status_group, runs_known from analytics.live_results where result_id = {}"


@dataclass(frozen=True)
class Look:
    """A sync, and what a reader found after it of each result that is followed."""

    ran: Ran
    runs: dict[int, list[tuple[Any, ...]]]
    followed: dict[int, list[tuple[Any, ...]]]
    rates: dict[int, list[tuple[Any, ...]]]
    outcomes: set[str]
    rejected: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Silence:
    """An account whose list shows no runs, and four results that were followed by their own addresses, which do, and have ended.

    Of three, something is wrong at first: the rate contradicts the runs, the address refuses, the address denies the result.
    """

    well: int
    contradicted: int
    refused: int
    denied: int
    first: Look
    again: Look
    when_all_is_well: Look
    with_nothing_new: Look
    runs: dict[int, list[tuple[Any, ...]]]  # as they ended
    after_a_rerun: Look
    runs_of_the_rerun: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def silence(new_account_of_many: NewAccount) -> Silence:
    account = new_account_of_many(results=60, in_flight=0, page_size_cap=20, summaries=False)
    ids = well, contradicted, refused, denied = sorted(account.world.results)[:4]
    for id_ in ids:
        account.world.rerun(id_)
    assert account.sync().json["mode"] == "full"
    assert account.sync().json["mode"] == "quick"
    for id_ in ids:
        assert {status for _, status, _ in account.query(RUNS.format(id_))} == {"running"}
    account.world.finish()
    lost = [run | {"success": False} for run in account.world.results[contradicted]["runs"]]
    account.world.edit(contradicted, runs=lost, success_rate=0.5)
    wrong = {f"/{refused}/": Answer(403, b"{}"), f"/{denied}/": Answer(404, b"{}")}
    account.sandbox.intercept = lambda request: next(
        (answer for end, answer in wrong.items() if request.path.endswith(end)), None
    )
    looks = [look(account, ids), look(account, ids)]
    account.sandbox.intercept = None
    looks += [look(account, ids), look(account, ids)]
    runs = {id_: runs_of(account, id_) for id_ in ids}
    account.world.rerun(well)
    account.world.finish()
    return Silence(*ids, *looks, runs, look(account, ids), runs_of(account, well))


def look(account: Account, ids: tuple[int, ...]) -> Look:
    ran, rate = account.sync("--full"), "select success_rate from cekura.results where id = {}"
    return Look(
        ran,
        *({id_: account.query(sql.format(id_)) for id_ in ids} for sql in (RUNS, FOLLOWED, rate)),
        {outcome for (outcome,) in account.query("select distinct outcome from analytics.runs")},
        account.query("select id from cekura.rejected_rows"),
    )


def runs_of(account: Account, id_: int) -> list[tuple[Any, ...]]:
    return sorted((run["id"], run["status"], run["success"]) for run in account.world.results[id_]["runs"])


@pytest.mark.long
def test_runs_that_were_stored_are_followed_although_the_list_shows_none(silence: Silence) -> None:
    first, id_ = silence.first, silence.well

    assert (first.ran.json["updated"], first.ran.json["unchanged"]) == (4, 56)
    assert first.runs[id_] == silence.runs[id_]
    assert first.followed[id_] == [("completed", True)]
    assert silence.again.ran.json["updated"] == 0, "the list shows it as it did"
    assert not silence.with_nothing_new.ran.json["changed"], "the list shows it as it did"
    assert silence.after_a_rerun.runs[id_] == silence.runs_of_the_rerun != silence.runs[id_]


def test_a_rate_that_contradicts_the_runs_is_stored_as_it_is_listed(silence: Silence) -> None:
    assert silence.first.ran.code == 0
    assert silence.first.rates[silence.contradicted] == [(0.5,)]
    assert silence.first.runs[silence.contradicted] == silence.runs[silence.contradicted]


def test_runs_that_cannot_be_had_are_asked_for_again(silence: Silence) -> None:
    for sync in (silence.first, silence.again):
        assert sync.ran.json["rejected"] == 1
        assert sync.rejected == [(silence.refused,)]
        assert sync.followed[silence.refused] == [("completed", False)]
        assert "unknown" in sync.outcomes

    well = silence.when_all_is_well
    assert (well.ran.json["updated"], well.ran.json["unchanged"], well.ran.json["rejected"]) == (2, 58, 0)
    assert well.runs[silence.refused] == silence.runs[silence.refused]
    assert well.rejected == []


def test_a_listed_result_that_its_own_address_denies_is_not_deleted(silence: Silence) -> None:
    for sync in (silence.first, silence.again):
        assert sync.ran.json["deleted"] == 0
        assert sync.followed[silence.denied] == [("completed", False)]
    assert silence.when_all_is_well.runs[silence.denied] == silence.runs[silence.denied]


@pytest.mark.parametrize("name", ["pending_log.jsonl", *rare("base.duckdb", "commit.json", "last.json")])
def test_once_readers_have_the_new_file_no_full_disk_turns_the_sync_into_a_failure(
    synced_account: Account, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    synced_account.sync()  # leaves a pending log
    synced_account.world.insert(5)
    published = synced_account.warehouse.stat().st_ino
    replace, unlink = Path.replace, Path.unlink

    def is_full(path: Path) -> bool:
        return path.name == name and synced_account.warehouse.stat().st_ino != published

    def replace_if_there_is_space(path: Path, target: Path) -> Path:
        if is_full(target):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return replace(path, target)

    def unlink_if_there_is_space(path: Path, missing_ok: bool = False) -> None:
        if is_full(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_if_there_is_space)
        patch.setattr(Path, "unlink", unlink_if_there_is_space)
        ran = synced_account.sync()

    assert ran.code == 0, ran.err
    synced_account.assert_equals_api()
    synced_account.world.insert(5)
    assert synced_account.sync().json["inserted"] == 5
    synced_account.assert_equals_api()
