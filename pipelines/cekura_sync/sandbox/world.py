"""The world: the invented account's history, and everything that can happen to it while somebody reads."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cekura_sync.sandbox.account import DAY, STEADY, Account, Agent, invent
from cekura_sync.sandbox.rows import (
    IN_FLIGHT,
    Entry,
    Row,
    build_row,
    microseconds,
    moment,
    runs_of,
    scenarios_of,
    set_run,
    stamp,
    start_run,
    tally,
)

MINUTE = 60_000_000
FIRST_RESULT, FIRST_RUN = 48_211, 934_500


class Truth(Mapping[int, Row]):
    """The live rows by id. Each is built when it is asked for; none is ever changed in place."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getitem__(self, result_id: int) -> Row:
        return self._world.row(self._world.entries[result_id])

    def __iter__(self) -> Iterator[int]:
        with self._world.lock:
            return iter(list(self._world.entries))

    def __len__(self) -> int:
        return len(self._world.entries)

    def __contains__(self, result_id: object) -> bool:
        return result_id in self._world.entries


class World:
    """Results of the past `days`, newest last in `entries`; a lock, a version and a clock."""

    def __init__(
        self,
        results: int = 2000,
        agents: int = 12,
        runs_per_result: int = 10,
        days: float = 90,
        seed: int = 7,
        now: datetime | None = None,
        in_flight: int = 5,
        *,
        vary_runs: bool = True,
        versions: int = 0,
        steady: tuple[float, float] = STEADY,
    ) -> None:
        self.lock = threading.RLock()
        self.version = 0  # moves with every change, so that a server knows when its lists are old
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.entries: dict[int, Entry] = {}
        self.results: Mapping[int, Row] = Truth(self)
        self._gone: dict[int, Entry] = {}
        self._rng = random.Random(seed)
        self._runs_per_result = runs_per_result
        self._vary_runs = vary_runs
        self._next_id, self._next_run = FIRST_RESULT, FIRST_RUN
        ended = self._last = microseconds(now or datetime.now(UTC))
        self.account: Account = invent(agents, self._rng, ended - int(days * DAY), ended, versions, steady)
        self._seed_history(results, min(in_flight, results))

    @property
    def agents(self) -> tuple[Agent, ...]:
        return self.account.agents

    def now(self) -> datetime:
        """The world's clock. It never shows the same microsecond twice."""
        return moment(self._tick())

    def row(self, entry: Entry) -> Row:
        return build_row(entry, self.account) if entry.row is None else entry.row

    # What happens to a world.

    def insert(
        self, n: int = 1, status: str = "completed", created_at: datetime | None = None, **fields: Any
    ) -> list[int]:
        """New results, the newest of all unless `created_at` says otherwise."""
        with self.lock:
            return [self._insert(status, created_at, fields) for _ in range(n)]

    def insert_late(self, n: int = 1, age: timedelta = timedelta(hours=1), **fields: Any) -> list[int]:
        """Results that become visible late: a new id, but both times lie in the past."""
        with self.lock:
            ids = []
            for _ in range(n):
                created = self._tick() - age // timedelta(microseconds=1)
                late = {"updated_at": stamp(created), **fields}
                ids.append(self._insert("completed", moment(created), late))
            return ids

    def start(self, n: int = 1) -> list[int]:
        """New results that are still in flight."""
        return [self.insert(status=IN_FLIGHT[place % 2])[0] for place in range(n)]

    def finish(self, ids: Iterable[int] | None = None) -> list[int]:
        """Results in flight complete: their open runs get a verdict and a duration."""
        with self.lock:
            wanted = list(self.entries) if ids is None else list(ids)
            flying = [result_id for result_id in wanted if self.entries[result_id].status in IN_FLIGHT]
            for result_id in flying:
                self.edit(result_id, status="completed", runs=self._ended_runs(self.entries[result_id]))
            return flying

    def rerun(self, result_id: int) -> int:
        """Back to running, with a fresh run in place of each."""
        with self.lock:
            runs = [
                {**start_run(self._take_runs(1), run["scenario"], self.account), "status": "running"}
                for run in self.results[result_id]["runs"]
            ]
            return self.edit(result_id, status="running", runs=runs)

    def edit(self, result_id: int, **fields: Any) -> int:
        """Other content. Given `runs`, what is computed from runs follows, unless it is given too."""
        with self.lock:
            return self._change(result_id, {"updated_at": stamp(self._tick()), **fields})

    def touchless_edit(self, result_id: int, **fields: Any) -> int:
        """Other content, with `updated_at` where it was: what a review or a re-evaluation does."""
        return self._change(result_id, fields)

    def drop_runs(self, result_id: int, keep: int = 0) -> int:
        """All but the first runs go, and the counts with them; `updated_at` stays."""
        with self.lock:
            runs = self.results[result_id]["runs"][:keep]
            return self._change(result_id, {"runs": runs, "scenarios": scenarios_of(runs)})

    def delete(self, result_id: int) -> int:
        with self.lock:
            self._gone[result_id] = self.entries.pop(result_id)
            self.version += 1
            return result_id

    def restore(self, result_id: int) -> int:
        with self.lock:
            self.entries[result_id] = self._gone.pop(result_id)
            return self.edit(result_id)

    def set_raw(self, result_id: int, raw: bytes | None) -> int:
        """Serve exactly these bytes as the row, in lists and by id; None ends it."""
        with self.lock:
            self._put(self.entries[result_id]._replace(raw=raw))
            return result_id

    # How it is done.

    def _tick(self) -> int:
        with self.lock:
            self._last = max(microseconds(self.clock()), self._last + 1)
            return self._last

    def _put(self, entry: Entry) -> None:
        self.entries[entry.id] = entry
        self.version += 1

    def _change(self, result_id: int, fields: Row) -> int:
        with self.lock:
            entry = self.entries[result_id]
            derived = tally(runs_of(fields), self.account) if isinstance(fields.get("runs"), list) else {}
            row = {**self.row(entry), **derived, **fields}
            self._put(
                entry._replace(
                    row=row,
                    status=row["status"],
                    created=_parsed(row["created_at"], entry.created),
                    updated=_parsed(row["updated_at"], entry.updated),
                )
            )
            return result_id

    def _insert(self, status: str, created_at: datetime | None, fields: Row) -> int:
        created = self._tick() if created_at is None else microseconds(created_at)
        agent = self.account.agent(fields.get("agent")) or self._rng.choice(self.agents)
        entry = self._entry(created, self._tick(), agent, status)
        self._put(entry)
        return self._change(entry.id, fields) if fields else entry.id

    def _entry(self, created: int, updated: int, agent: Agent, status: str) -> Entry:
        result_id, self._next_id = self._next_id, self._next_id + self._rng.randint(1, 3)
        count = self._runs_per_result
        if self._vary_runs:
            count = max(min(1, count), round(self._rng.gauss(count, count * 0.3)))
        seed = self._rng.getrandbits(40)
        return Entry(result_id, created, updated, agent, status, seed, self._take_runs(count), count)

    def _take_runs(self, count: int) -> int:
        first, self._next_run = self._next_run, self._next_run + count
        return first

    def _ended_runs(self, entry: Entry) -> list[Row]:
        rng = random.Random(entry.seed + 1)
        return [
            run
            if "success" in run
            else set_run(
                run, "completed", self.account.chance(entry.agent, run["scenario"], entry.created), rng
            )
            for run in self.row(entry)["runs"]
        ]

    def _seed_history(self, results: int, in_flight: int) -> None:
        began, ended = self.account.began, self.account.ended
        # Finished results had the time to finish; those in flight are the last few minutes' ones.
        quiet = ended - min(30 * MINUTE, (ended - began) // 10)
        finished = _distinct(self._rng, began, quiet, results - in_flight)
        flying = _distinct(self._rng, quiet, ended, in_flight)
        weights = [1 + 3 / (1 + place) for place in range(len(self.agents))]
        agents = self._rng.choices(self.agents, weights, k=results)
        statuses = self._rng.choices(
            ("completed", "failed", "timeout", "cancelled"), (94, 3, 1, 2), k=len(finished)
        )
        for created, agent, status in zip(finished, agents, statuses, strict=False):
            updated = created + self._rng.randrange(2 * MINUTE, 25 * MINUTE)
            if self._rng.random() < 0.03:  # somebody came back and had it evaluated again
                updated += self._rng.randrange(10 * DAY)
            entry = self._entry(created, min(updated, ended), agent, status)
            self.entries[entry.id] = entry
        for place, (created, agent) in enumerate(zip(flying, agents[len(finished) :], strict=True)):
            entry = self._entry(created, created, agent, IN_FLIGHT[place % len(IN_FLIGHT)])
            self.entries[entry.id] = entry


def _distinct(rng: random.Random, first: int, last: int, count: int) -> list[int]:
    """That many different moments, in order."""
    return sorted(rng.sample(range(first, last), count))


def _parsed(value: object, default: int) -> int:
    """A row's time as a sort key; a hostile one leaves the row where it was."""
    try:
        return microseconds(datetime.fromisoformat(str(value)))
    except (TypeError, ValueError):
        return default
