"""Known rows that the listing did not show, or not in full: still in flight, deleted, no longer kept by the vendor, or without runs."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.endpoints import Api
from cekura_sync.api.forms import LISTS
from cekura_sync.api.listing import Listing
from cekura_sync.diff.absent import InFlight
from cekura_sync.diff.compare import Comparison
from cekura_sync.errors import CekuraSyncError, MassDeleteRefused, UnbelievableAnswer
from cekura_sync.outcome import Progress

# Rows in flight whose content changed so recently are read at every sync.
ALWAYS_REREAD = timedelta(days=1)
# An address that brought nothing is asked again after this time, then after twice as long, and so on.
TRY_AGAIN_AFTER = timedelta(minutes=15)
BRAKE_ROWS, BRAKE_SHARE = 20, 0.05


def account_for_absent(
    api: Api,
    listing: Listing,
    comparison: Comparison,
    *,
    now: datetime,
    last_started: datetime | None,
    allow_mass_delete: bool,
    progress: Progress,
) -> int:
    """Read by id what needs it, and mark what is gone. `now`: by the API's clock.

    Returns for how many results that were not listed it is now known why: deleted, or there by their own address.
    Raises MassDeleteRefused, UnbelievableAnswer.
    """
    known, listed = comparison.absent.known_and_listed()
    if listing.complete:
        # Before all else: what has aged out is not deleted too.
        comparison.absent.age_out(listing.chain.floor, now)
    in_flight = [
        row.id for row in comparison.absent.in_flight() if is_due(row, last_started, comparison.started)
    ]
    missing = comparison.absent.missing(above=None if listing.complete else listing.chain.floor)
    aged = comparison.absent.aged_out_above(listing.chain.floor) if listing.complete else []
    if listing.complete and known and not listed and not allow_mass_delete:
        raise MassDeleteRefused(
            f"None of the {known:,} known results is listed any more: is this the right key, project and --warehouse? --allow-mass-delete accepts it."
        )
    asked = _due_by_id(comparison, {*in_flight, *missing, *aged}, last_started)
    silent = comparison.silent.ids()
    if not asked and not silent:
        return 0
    for ids, why in ((asked, "did not show"), (silent, "showed without their runs")):
        if ids:
            progress.say(f"Reading {len(ids):,} results by id that the listing {why}.")
    # Whether something so old was deleted or has aged out, only the whole list tells.
    too_old = [] if listing.complete else comparison.absent.old_enough_to_age_out(now)
    answers = _ask(
        api,
        comparison,
        [*asked, *silent],
        not_judged={*silent, *too_old},
        not_counted={*aged},
        known=known,
        allow_mass_delete=allow_mass_delete,
    )
    comparison.changeset.mark_deleted(answers.deleted)
    comparison.take_by_id(answers.found)
    comparison.rejected.keep_by_id(answers.failed)
    return len({*answers.deleted, *(row.key for row in answers.found)} - {*silent, *aged})


def _due_by_id(comparison: Comparison, ids: Collection[int], last_started: datetime | None) -> list[int]:
    """Those whose own address is to be asked now, the newest first."""
    failing = comparison.absent.failing_by_id()
    return [
        id_
        for id_ in sorted(ids, reverse=True)
        if id_ not in failing or is_due_again(failing[id_], last_started, comparison.started)
    ]


def _ask(
    api: Api,
    comparison: Comparison,
    ids: list[int],
    *,
    not_judged: set[int],
    not_counted: set[int],
    known: int,
    allow_mass_delete: bool,
) -> "_Answers":
    """`not_judged`: results of which a 404 proves no deletion. `not_counted`: those that are not among the `known`."""
    answers, counted = _Answers([], [], []), 0
    limit = known if allow_mass_delete else max(BRAKE_ROWS, int(known * BRAKE_SHARE))
    for id_, row in read_by_id(api, comparison, ids):
        if row is None and (id_ in not_judged or not comparison.absent.is_judged):
            continue  # it is not gone, or a sync that can judge it marks it
        answers.add(id_, row)
        if len(answers.failed) == 1 and isinstance(row, CekuraSyncError):
            _require_answers_by_id(
                api, comparison, row
            )  # at once: an API that is down need not fail for each
        counted += row is None and id_ not in not_counted
        if counted > limit:
            raise MassDeleteRefused(
                f"More than {limit:,} of the {known:,} known results are gone from the API: check that the key, the filters and --warehouse belong together. If they were deleted at Cekura, pass --allow-mass-delete."
            )
    if answers.deleted or len(answers.failed) > 1:
        _require_answers_by_id(api, comparison, answers.failed[-1][1] if answers.failed else None)
    return answers


class _Answers(NamedTuple):
    """What known rows' own addresses brought."""

    found: list[Row]
    deleted: list[int]
    failed: list[tuple[int, CekuraSyncError]]

    def add(self, id_: int, row: Row | CekuraSyncError | None) -> None:
        if isinstance(row, CekuraSyncError):
            self.failed.append((id_, row))
        elif row is None:
            self.deleted.append(id_)
        else:
            self.found.append(row)


def is_due(row: InFlight, last_started: datetime | None, now: datetime) -> bool:
    """Whether to re-read a row in flight: at first always, then at points that lie a tenth of its age apart."""
    age = now - row.synced_at
    if age <= ALWAYS_REREAD or last_started is None:
        return True
    age_then = max(last_started - row.synced_at, ALWAYS_REREAD)
    point = ALWAYS_REREAD
    while point <= age_then:
        point *= 1.1
    return point <= age


def is_due_again(first_failed: datetime, last_started: datetime | None, now: datetime) -> bool:
    """Whether to ask an address again that has brought nothing since then: at points that lie twice as far apart each time."""
    tried = max((last_started or first_failed) - first_failed, timedelta(0))
    point = TRY_AGAIN_AFTER
    while point <= tried:
        point *= 2
    return point <= now - first_failed or now < first_failed


def _require_answers_by_id(api: Api, comparison: Comparison, error: CekuraSyncError | None) -> None:
    """That a result is gone, or that its address alone fails, is proved where one that is listed answers by id.

    Raises `error`, or UnbelievableAnswer where what is listed is denied by id.
    """
    canaries = comparison.shown.some_ids()
    answers = [row for _, row in read_by_id(api, comparison, canaries)]
    if any(isinstance(row, Row) for row in answers) or (error is None and not canaries):
        return
    for failed in (error, *answers):
        if isinstance(failed, CekuraSyncError):
            raise failed
    raise UnbelievableAnswer(
        f"The API lists result {canaries[0]} and denies it by id, so its 404s prove no deletion: try again later."
    )


def read_by_id(
    api: Api, comparison: Comparison, ids: list[int]
) -> Iterator[tuple[int, Row | CekuraSyncError | None]]:
    row_keys, run_keys = comparison.shown.keys()
    return api.results_by_id(
        ids, row_keys | {*LISTS}, run_keys, list_in_percent=comparison.shown.in_percent()
    )
