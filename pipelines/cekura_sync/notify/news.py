"""What is new for each receiver: what holds now, less what it was told before. The warehouse keeps what was told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from cekura_sync import clock
from cekura_sync.models import runner
from cekura_sync.models.runner import Model
from cekura_sync.notify.message import Message
from cekura_sync.notify.receivers import Receiver, send_all
from cekura_sync.notify.wording import message_of
from cekura_sync.outcome import Progress

Row = Mapping[str, Any]
Things = set[tuple[str, str]]  # kind and subject

REGRESSED, RECOVERED = "regressed", "recovered"
COMPARED = (REGRESSED, "newly failing")
# After this time both sides of the comparison include the fall, so a new verdict means another fall.
FADES = timedelta(days=35)


class Memory(Protocol):
    """The part of the warehouse that news need."""

    def answer(self, query: Model) -> list[dict[str, Any]]:
        """The rows of a query on what the last sync committed."""

    def have_heard(self, receivers: Collection[str]) -> bool:
        """Whether all of them recently received everything that was new."""

    def record_heard(self, receivers: Collection[str]) -> None:
        """Record who has received everything; called without receivers before a search for news."""

    def remember_told(self, rows: Sequence[Row], progress: Progress) -> None:
        """Replace the table `_told`."""


@dataclass(frozen=True)
class News:
    """For one receiver. `told`: the rows that the table holds for it once it has heard."""

    items: Sequence[Row]
    told: Sequence[Row]
    known: Sequence[Row]  # what it holds now

    @property
    def message(self) -> Message:
        return message_of(self.items)


def tell(memory: Memory, receivers: Sequence[Receiver], progress: Progress, *, changed: bool) -> None:
    """At most one message to each receiver. A receiver that does not accept it gets the news from the next sync.

    Without a change only the passage of time brings news, so looking once an hour is enough.
    """
    everybody = [receiver.id for receiver in receivers]
    if not changed and memory.have_heard(everybody):
        return
    memory.record_heard([])
    told, news = _gather(memory, receivers)
    heard = send_all({receiver: one.message for receiver, one in news.items() if one.items}, progress.warn)
    after = [row for row in told if row["receiver"] not in everybody]
    for receiver, one in news.items():
        after += one.told if not one.items or receiver in heard else one.known
    if {_key(row) for row in after} != {_key(row) for row in told}:
        memory.remember_told(after, progress)
    if all(receiver in heard for receiver, one in news.items() if one.items):
        memory.record_heard(everybody)
    if heard:
        progress.say(f"News sent to {', '.join(receiver.where for receiver in heard)}.")


def _gather(memory: Memory, receivers: Sequence[Receiver]) -> tuple[list[Row], dict[Receiver, News]]:
    queries = {query.name: query for query in runner.read_models(runner.models_dir() / "notify")}
    conditions = memory.answer(queries["conditions"])
    told: list[Row] = [*memory.answer(queries["told"])]
    recovered = memory.answer(queries["recovered"]) if told else []
    now = clock.now()
    return told, {
        receiver: _news_for(
            receiver.id,
            conditions,
            [row for row in told if row["receiver"] == receiver.id],
            [row for row in recovered if row["receiver"] == receiver.id],
            now,
        )
        for receiver in receivers
    }


def _news_for(
    receiver: str,
    conditions: list[dict[str, Any]],
    told: list[Row],
    recovered: list[dict[str, Any]],
    now: datetime,
) -> News:
    over = {_thing(row) for row in (*recovered, *(row for row in conditions if row["is_over"]))}
    kept = [row for row in told if _is_kept(row, over, now)]
    known = {_thing(row) for row in kept}
    fresh = [row for row in conditions if row["to_tell"] and _thing(row) not in known]
    added = [{**row, "receiver": receiver, "told_at": now} for row in fresh]
    up = [{**row, "kind": RECOVERED} for row in recovered if row["kind"] == REGRESSED]
    items = [*fresh, *up]
    return News(items, [*kept, *added], [*told])


def _is_kept(row: Row, over: Things, now: datetime) -> bool:
    """A condition whose row is missing is not over: its agent may only not have run."""
    has_faded = row["kind"] in COMPARED and row["told_at"] <= now - FADES
    return not has_faded and _thing(row) not in over


def _thing(row: Row) -> tuple[str, str]:
    return row["kind"], row["subject"]


def _key(row: Row) -> tuple[str, str, str]:
    return row["receiver"], row["kind"], row["subject"]
