"""Known rows that the listing did not show: still in flight, deleted, or no longer kept by the vendor."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.endpoints import Api
from cekura_sync.api.listing import Listing
from cekura_sync.diff.compare import Comparison, InFlight
from cekura_sync.diff.records import LISTS
from cekura_sync.errors import MassDeleteRefused, UnbelievableAnswer
from cekura_sync.outcome import Progress

ALWAYS_REREAD = timedelta(days=1)  # rows in flight whose content changed so recently are read at every sync
BRAKE_ROWS, BRAKE_SHARE = 20, 0.05


def account_for_absent(
    api: Api,
    listing: Listing,
    changes: Comparison,
    *,
    last_started: datetime | None,
    allow_mass_delete: bool,
    progress: Progress,
) -> None:
    """Read by id what needs it, and mark what is gone. Raises MassDeleteRefused, UnbelievableAnswer."""
    known, listed = changes.known_and_listed()
    if listing.complete:
        changes.age_out(listing.chain.floor)  # before all else: what has aged out is not deleted too
    in_flight = [row.id for row in changes.in_flight_unseen() if is_due(row, last_started, changes.started)]
    missing = changes.missing(above=None if listing.complete else listing.chain.floor)
    if listing.complete and known and not listed and not allow_mass_delete:
        raise MassDeleteRefused(
            f"None of the {known:,} known results is listed any more: is this the right key, project and --warehouse? --allow-mass-delete accepts it."
        )
    asked = sorted({*in_flight, *missing}, reverse=True)
    if not asked:
        return
    progress.say(f"Reading {len(asked):,} results by id that the listing did not show.")
    limit = known if allow_mass_delete else max(BRAKE_ROWS, int(known * BRAKE_SHARE))
    found, deleted = [], []
    for id_, row in _by_id(api, changes, asked):
        if row is not None:
            found.append(row)
            continue
        deleted.append(id_)
        if len(deleted) > limit:
            raise MassDeleteRefused(
                f"More than {limit:,} of {known:,} known results would be marked deleted: if that is right, pass --allow-mass-delete."
            )
    if deleted:
        _require_canary(api, changes)
        changes.changeset.mark_deleted(deleted)
    changes.take(found)


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


def _require_canary(api: Api, changes: Comparison) -> None:
    """A 404 means deleted only where a listed row answers by id."""
    canaries = changes.some_listed()
    if canaries and all(row is None for _, row in _by_id(api, changes, canaries)):
        raise UnbelievableAnswer(
            f"The API lists result {canaries[0]} and denies it by id, so its 404s prove no deletion: try again later."
        )


def _by_id(api: Api, changes: Comparison, ids: list[int]) -> Iterator[tuple[int, Row | None]]:
    row_keys, run_keys = changes.list_keys()
    return api.results_by_id(ids, row_keys | {*LISTS}, run_keys, list_in_percent=changes.list_in_percent())
