"""What a sync reads of the listing, from the first request to the last: the same for `sync` and for the dlt source."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from cekura_sync import clock
from cekura_sync.api.client import Client
from cekura_sync.api.decode_rows import Row
from cekura_sync.api.endpoints import Api
from cekura_sync.api.listing import Listing
from cekura_sync.api.paging import Chain, Saved
from cekura_sync.api.places import Place
from cekura_sync.console.pace import Pace, roughly
from cekura_sync.diff.compare import Comparison
from cekura_sync.diff.counted import hold_against_count
from cekura_sync.diff.doubts import why_to_read_everything
from cekura_sync.diff.history import History
from cekura_sync.diff.journal import Journal
from cekura_sync.diff.missing import account_for_absent
from cekura_sync.errors import ApiUnavailable, KeyRefused, SettingsError, UnbelievableAnswer, UnreadableAnswer
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.settings import TIMEOUT, TIMEOUT_FIRST_FULL, Settings

CLOCK_TOLERANCE = timedelta(days=1)
CLOCK_NOTICED = timedelta(minutes=10)
FEW_ROWS = 20  # of fewer, any share may be bad
# Rows compared at a time, and characters, because rows may be large: parsing takes up to ten times the memory of the text.
BATCH_ROWS = 5000
BATCH_CHARACTERS = 6_000_000
BATCH_SECONDS = 5.0  # where pages come slowly: a process that is killed loses no more than that


def connect(settings: Settings, past: History) -> Client:
    """A client with the budget of this sync."""
    timeout = settings.timeout or (TIMEOUT if past.last_full_started else TIMEOUT_FIRST_FULL)
    return Client(
        settings.api_url,
        settings.api_key,
        is_token=settings.key_is_token,
        key_from=settings.key_from,
        concurrency=settings.concurrency,
        seconds=timeout.total_seconds(),
    )


def scan(
    api: Api,
    settings: Settings,
    past: History,
    comparison: Comparison,
    progress: Progress,
    journal: Journal,
    after_batch: Callable[[], None] = lambda: None,
) -> Listing:
    """The listing, and by id what it did not show."""
    # A full reading that is continued began at another time, when perhaps none was due and --full asked for it.
    full = journal.outlives or wants_full(settings, past, comparison.started)
    horizon = None if full else past.horizon(settings.lookback)
    progress.say(past.plan(settings.filters, horizon, asked=settings.full))
    listing = _listing(api, settings, horizon, journal.reading.chain)
    pace = Pace(len(listing.chain))
    with _how_far(listing, journal, pace):
        _take_listing(listing, comparison, progress, journal, pace, after_batch)
        dependable = past.count_is_dependable and not settings.filters.params()
        doubt = why_to_read_everything(api, listing, comparison, count_is_dependable=dependable)
    if doubt:
        progress.say(f"{doubt}: the listing is not newest first, so everything is read.")
        comparison.restart()
        listing = _listing(api, settings, None)
    with _how_far(listing, journal, pace):
        if doubt:
            _take_listing(listing, comparison, progress, journal, pace, after_batch)
        now = _time_by_most_witnesses(api, comparison)
        _require_a_clock_that_is_right(comparison, now, progress)
        _require_rows_that_can_be_taken(listing, comparison)
        if listing.complete and comparison.absent.covers == "(true)":
            comparison.changeset.mark_read_in_full()
        explained = account_for_absent(
            api,
            listing,
            comparison,
            now=now,
            last_started=past.last_started,
            allow_mass_delete=settings.allow_mass_delete,
            progress=progress,
        )
        comparison.settle()
        hold_against_count(listing, past, explained, allow_less=settings.allow_mass_delete, progress=progress)
    return listing


def outcome_of(
    listing: Listing, comparison: Comparison, settings: Settings, past: History, client: Client, **others: Any
) -> Outcome:
    """What was read and compared. `others`: the fields that depend on where it is written."""
    return Outcome(
        mode="full" if listing.full else "quick",
        scope=settings.filters.params(),
        requests=client.requests,
        retries=client.retries,
        pages=listing.pages,
        rows_read=len(listing.chain),
        counts=comparison.counts(),
        watermark=clock.latest(comparison.watermark, past.watermark),
        started=comparison.started,
        finished=clock.now(),
        clock_ahead=client.clock_ahead or timedelta(),
        shortfall=listing.shortfall,
        **others,
    )


def wants_full(settings: Settings, past: History, now: datetime) -> bool:
    return settings.full or past.needs_full(now, settings.full_every)


def _listing(api: Api, settings: Settings, horizon: int | None, chain: Chain | None = None) -> Listing:
    return Listing(
        api.page,
        page_size=settings.page_size,
        concurrency=settings.concurrency,
        horizon=horizon,
        chain=chain,
    )


def _time_by_most_witnesses(api: Api, comparison: Comparison) -> datetime:
    """When this sync began: by the API's clock, unless it is far from ours and the results' own times speak against it."""
    here, theirs = comparison.started, comparison.started - api.clock_ahead
    if abs(here - theirs) <= CLOCK_TOLERANCE:
        return theirs
    # What has happened was not later than now: the later of the two is right where something has happened since the earlier.
    is_late = comparison.newest is not None and comparison.newest > min(here, theirs) + CLOCK_TOLERANCE
    return max(here, theirs) if is_late else min(here, theirs)


def _require_a_clock_that_is_right(comparison: Comparison, now: datetime, progress: Progress) -> None:
    """A clock that is far ahead would leave times behind that nothing corrects; one that is behind does not."""
    ahead = comparison.started - now
    if ahead > CLOCK_TOLERANCE:
        raise SettingsError(
            f"The clock of this machine is {ahead.days:,} days ahead of the API's ({now:%Y-%m-%d %H:%M} UTC): nothing was changed; set the clock, then sync again."
        )
    if abs(ahead) > CLOCK_NOTICED:
        off = f"{roughly(abs(ahead).total_seconds())} {'ahead of' if ahead > timedelta() else 'behind'}"
        progress.warn(
            f"The clock of this machine is {off} the API's, and so are the times of this sync, by which results are stuck: set the clock."
        )


def _require_rows_that_can_be_taken(listing: Listing, comparison: Comparison) -> None:
    """A vendor's change of a type must not pass for a sync that found nothing new."""
    read = len(listing.chain)
    if read >= FEW_ROWS and comparison.rejected.count > read / 2:
        raise UnbelievableAnswer(
            f"{comparison.rejected.count:,} of {read:,} results cannot be stored, for instance because {comparison.rejected.first_flaw()}: nothing was changed; update cekura-sync, or report it."
        )


@contextmanager
def _how_far(listing: Listing, journal: Journal, pace: Pace) -> Iterator[None]:
    try:
        yield
    except ApiUnavailable as error:
        rows, expected = len(listing.chain), listing.expected_rows
        of_all = f" of about {expected:,}" if expected and expected > rows else ""
        said = f"{error} {f'{rows:,}{of_all} results were read' if rows else 'Nothing was read'}."
        if journal.outlives and listing.can_be_continued and rows:
            left = pace.seconds_left(rows, expected)
            rest = f"; at this pace the rest takes about {roughly(left)}" if left else ""
            said += f" The next full sync within a day goes on from there{rest}."
        raise ApiUnavailable(said) from error


def _take_listing(
    listing: Listing,
    comparison: Comparison,
    progress: Progress,
    journal: Journal,
    pace: Pace,
    after_batch: Callable[[], None],
) -> None:
    """Compare the rows batch by batch, each batch while the next one arrives."""
    batch = _Batch()
    with ThreadPoolExecutor(1, thread_name_prefix="compare") as thread:
        background = _Background(thread)

        def take(rows: list[Row], chain: tuple[list[Place], Saved]) -> None:
            journal.note(
                lambda: comparison.take(rows), chain if listing.can_be_continued else None, comparison.state
            )
            after_batch()

        def take_batch() -> None:
            background.do(take, batch.empty(), listing.chain.save())

        def restart() -> None:
            batch.empty()
            background.do(journal.start_again, comparison.restart)

        listing.on_restart(restart)
        try:
            for rows in listing:
                batch.add(rows)
                progress.read(listing.pages, len(listing.chain), listing.expected_rows, pace)
                if batch.is_full():
                    take_batch()
        except (ApiUnavailable, KeyRefused, UnreadableAnswer):
            if journal.outlives:  # the next full sync goes on from here
                take_batch()
                background.wait()
            raise
        take_batch()
        background.wait()


class _Batch:
    """Rows that wait to be compared."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._characters = 0
        self._began = time.monotonic()

    def empty(self) -> list[Row]:
        """Returns those that waited."""
        rows, self._rows = self._rows, []
        self._characters = 0
        self._began = time.monotonic()
        return rows

    def add(self, rows: Sequence[Row]) -> None:
        self._rows += rows
        self._characters += sum(len(row.raw) for row in rows)

    def is_full(self) -> bool:
        return (
            len(self._rows) >= BATCH_ROWS
            or self._characters >= BATCH_CHARACTERS
            or time.monotonic() - self._began >= BATCH_SECONDS
        )


class _Background:
    """One step at a time in another thread. `do` and `wait` raise what the step before raised."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._step: Future[None] | None = None

    def do(self, step: Callable[..., None], *arguments: object) -> None:
        self.wait()
        self._step = self._thread.submit(step, *arguments)

    def wait(self) -> None:
        if self._step is not None:
            self._step.result()
