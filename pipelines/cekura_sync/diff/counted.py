"""The number of results listed, held against the API's own `count`: evidence beside the proof that pages give.

A `count` proves nothing by itself. Some servers count what they do not list, such as deleted results, and rows come and go
while the list is read. So it is believed only as far as it has been right before.
"""

from cekura_sync.api.listing import Listing
from cekura_sync.diff.history import History
from cekura_sync.diff.missing import BRAKE_ROWS, BRAKE_SHARE
from cekura_sync.errors import ListingUnverified
from cekura_sync.outcome import Progress


def hold_against_count(
    listing: Listing, past: History, explained: int, *, allow_less: bool, progress: Progress
) -> None:
    """Warn where fewer results were listed than counted; raise ListingUnverified where that is beyond chance.

    `explained`: results that the listing did not show and that are deleted, or were found by their own address.
    """
    if not listing.shortfall or listing.shortfall <= explained:
        return
    lacking, counted = listing.shortfall - explained, min(listing.counts)
    said = f"The API counts {counted:,} results and lists {lacking:,} fewer"
    if past.count_is_dependable and lacking > max(BRAKE_ROWS, counted * BRAKE_SHARE) and not allow_less:
        raise ListingUnverified(
            f"{said}, though its count has been right before: nothing was changed, try again later. If that is right, pass --allow-mass-delete."
        )
    usual = listing.shortfall <= max(past.shortfalls, default=0)
    came_and_went = max(listing.counts) > counted
    tell = progress.say if usual or came_and_went else progress.warn
    tell(f"{said}. Either its count is too high or its list lacks results: that cannot be told from here.")
