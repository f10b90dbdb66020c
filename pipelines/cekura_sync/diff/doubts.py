"""Evidence that a quick reading has missed rows, because the listing is not in the order that its first pages show.

A quick reading stops where rows are older than its lookback. That is right only if the whole listing is newest first, and a
page or two cannot show that: old results that were imported, or listed by `updated_at` after a bulk re-evaluation, stand on
top in an order that looks the same. What the warehouse knows is the other witness.
"""

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.endpoints import Api
from cekura_sync.api.listing import Listing
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.missing import read_by_id

SAMPLE = 3  # known rows that are asked for by id: from the top, the middle and the end of those that were not listed


def why_to_read_everything(
    api: Api, listing: Listing, comparison: Comparison, *, count_is_dependable: bool
) -> str | None:
    """None where nothing speaks against the quick reading that has just ended.

    `count_is_dependable`: of all results, without a filter.
    """
    floor = listing.chain.floor
    if listing.full or listing.complete or floor is None:
        return None
    if late := comparison.absent.new_below(listing.horizon):
        return f"{late:,} results that are older than the lookback have just appeared"
    if count_is_dependable and listing.counts:
        more = min(listing.counts) - comparison.absent.all_listed()
        if more > 0:
            return f"The API's count is {more:,} higher than the number of known results"
    unlisted = comparison.absent.missing(above=floor)
    sample = (
        {unlisted[place * (len(unlisted) - 1) // (SAMPLE - 1)] for place in range(SAMPLE)}
        if unlisted
        else set()
    )
    answers = read_by_id(api, comparison, sorted(sample)) if sample else ()
    rows = [row for _, row in answers if isinstance(row, Row)]
    if rows and comparison.absent.unchanged_among(rows):
        return "Known results that should be among those just listed exist, and are not"
    return None
