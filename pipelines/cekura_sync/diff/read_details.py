"""Run details: asks, within its budget, for each finished result that changed since its details were read."""

from collections.abc import Iterator
from dataclasses import dataclass

from cekura_sync.api.endpoints import Api
from cekura_sync.api.personal import PersonalData
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.detail_changes import REASON, Asked
from cekura_sync.outcome import Progress

SHARE_OF_TIME = 0.5  # of what is left of the sync's budget; what does not fit is left to the next sync
BATCH_ROWS = 200
BATCH_CHARACTERS = 8 * 1024 * 1024


@dataclass(frozen=True)
class DetailCounts:
    details_read: int
    details_left: int  # due, and not asked for within the budget


def read_details(api: Api, comparison: Comparison, *, budget: int, progress: Progress) -> DetailCounts:
    """The newest first. A 404 marks nothing: whether a result is deleted, the list has to prove."""
    details = comparison.changeset.details
    due = details.find_due(comparison.of_scope, comparison.started, comparison.personal_data)
    asked = due[:budget]
    old = details.too_old()
    until = api.seconds_left() * (1 - SHARE_OF_TIME)
    done = 0
    for personal_data, ids in (
        (comparison.personal_data, [id_ for id_ in asked if id_ not in old]),
        (PersonalData(), [id_ for id_ in asked if id_ in old]),
    ):
        for batch in _batches(_answers(api, ids, personal_data, until=until)):
            details.take(batch, comparison.started, personal_data)
            comparison.rejected.keep(
                [(one.result_id, f"{REASON}{one.flaw}", one.raw) for one in batch if one.flaw]
            )
            done += len(batch)
            progress.read_details(done, len(asked))
    return DetailCounts(details.counted("read"), len(due) - done)


def count_due(comparison: Comparison) -> DetailCounts:
    """For a dry run, which spends no request on what it does not write."""
    due = comparison.changeset.details.find_due(
        comparison.of_scope, comparison.started, comparison.personal_data
    )
    return DetailCounts(0, len(due))


def _answers(api: Api, ids: list[int], personal_data: PersonalData, *, until: float) -> Iterator[Asked]:
    for id_, detail in api.details(
        ids, personal_data=personal_data, go_on=lambda: api.seconds_left() > until
    ):
        if detail is None:
            yield Asked(id_, None, None)
        else:
            yield Asked(id_, detail.raw, detail.flaw)


def _batches(answers: Iterator[Asked]) -> Iterator[list[Asked]]:
    """So few at a time that memory does not depend on how many there are."""
    batch: list[Asked] = []
    characters = 0
    for answer in answers:
        batch.append(answer)
        characters += len(answer.raw or "")
        if len(batch) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
