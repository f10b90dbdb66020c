"""Syncs until no result that the gate judges is in flight, or until `--wait` is over."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

from cekura_sync import clock as machine
from cekura_sync.errors import WarehouseError
from cekura_sync.gate.judge import Judgement, judge, oldest_named
from cekura_sync.gate.question import Question

POLL = timedelta(seconds=20)  # between two syncs while something is in flight
HANGS = timedelta(hours=1)  # a result in flight for longer than this and than --wait is not waited for


class Clock:
    def now(self) -> datetime:
        return machine.now()

    def sleep(self, duration: timedelta) -> None:
        time.sleep(duration.total_seconds())


clock = Clock()  # tests replace it with one that does not wait


def judge_when_finished(
    question: Question,
    open_warehouse: Callable[[], AbstractContextManager[Path]],
    sync: Callable[[datetime | None], timedelta] | None,
    wait: timedelta,
    say: Callable[[str], None],
) -> Judgement:
    """Without `sync` nothing would change during a wait, so it looks once. Raises CekuraSyncError.

    `sync` is told how far back it has to read: to the oldest result that is named, however long ago it was created. It
    returns how far this machine's clock is ahead of the API's, by which results are created.
    """
    began = clock.now()
    back_to = _oldest_named(question, open_warehouse) if sync is not None and question.result_ids else None
    while True:
        ahead = sync(back_to) if sync is not None else timedelta()
        with open_warehouse() as path:
            judgement = judge(path, question, began - max(ahead, timedelta()) - max(wait, HANGS))
        left = began + wait - clock.now()
        if sync is None or not judgement.unfinished or left <= timedelta():
            return judgement
        say(_waiting(judgement, left))
        clock.sleep(min(POLL, left))


def _oldest_named(
    question: Question, open_warehouse: Callable[[], AbstractContextManager[Path]]
) -> datetime | None:
    try:
        with open_warehouse() as path:
            return oldest_named(path, question)
    except WarehouseError:  # there is none yet, so the first sync reads everything
        return None


def _waiting(judgement: Judgement, left: timedelta) -> str:
    count, first = len(judgement.unfinished), judgement.unfinished[0]
    results = "1 result" if count == 1 else f"{count:,} results"
    return f"Waiting for {results} in flight, such as {first['result_id']} ({first['status']}); {left.total_seconds() / 60:,.0f} minutes left."
