"""Checks the key, the connection to the API, and how its listing behaves. Sends at most six requests."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import msgspec

from cekura_sync.api.client import Client
from cekura_sync.api.decode_rows import ABOVE_1, Page
from cekura_sync.api.endpoints import Api
from cekura_sync.api.json_values import read_row
from cekura_sync.api.listing import first_page
from cekura_sync.api.paging import Chain, Disorder, Window, next_window
from cekura_sync.doctor.finding import Finding, failure, ok, warning
from cekura_sync.errors import CekuraSyncError, KeyRefused
from cekura_sync.settings import API_VERSIONS, Settings

REQUESTS = 6
SECONDS = 30.0
CLOCK_MAY_DIFFER = timedelta(minutes=1)


def examine(settings: Settings) -> Iterator[Finding]:
    with Client(
        settings.api_url,
        settings.api_key,
        is_token=settings.key_is_token,
        key_from=settings.key_from,
        concurrency=1,
        seconds=SECONDS,
        max_requests=REQUESTS - 2,
    ) as client:
        api = Api(client, settings)
        try:
            first = first_page(api.page(Window(1, settings.page_size)).result())
        except CekuraSyncError as error:
            yield from _clock(client)
            yield failure("key" if isinstance(error, KeyRefused) else "api", error)
            return
        yield ok("key", "The API accepts the key.")
        yield ok("api", f"{settings.api_url} ({settings.api_version}) answers.")
        yield from _version(client, settings)
        yield from _clock(client)
        yield from _page_size(first, settings.page_size)
        try:
            client.max_requests = REQUESTS - 1
            yield from _order(api, first, settings.page_size)
            client.max_requests = REQUESTS
            yield from _by_id(api, first)
        except CekuraSyncError as error:
            yield failure("api", error)
        yield from _rows(first)


def _version(client: Client, settings: Settings) -> Iterator[Finding]:
    """Which versions the server calls deprecated; the other one is asked only where this one is."""
    if not client.deprecated:
        return
    other = next(version for version in API_VERSIONS if version != settings.api_version)
    try:
        page = Api(client, replace(settings, api_version=other)).page(Window(1, 1)).result()
    except CekuraSyncError:
        page = None
    if page is None:
        advice = f"{other} does not answer this key, so stay until it does"
    elif client.deprecated:
        advice = f"it calls {other} deprecated too, so ask the vendor"
    else:
        advice = f"{other} answers as well: set --api-version {other}"
    yield warning("api version", f"The server calls {settings.api_version} deprecated; {advice}.")


def _clock(client: Client) -> Iterator[Finding]:
    ahead = client.clock_ahead
    if ahead is None:
        return
    if abs(ahead) <= CLOCK_MAY_DIFFER:
        yield ok("clock", "This machine's clock and the API's agree.")
    else:
        way = "ahead of" if ahead > timedelta(0) else "behind"
        yield warning(
            "clock",
            f"This machine's clock is {abs(ahead).total_seconds():,.0f} s {way} the API's: set it by NTP, or ages and watermarks are wrong by as much.",
        )


def _page_size(page: Page, asked: int) -> Iterator[Finding]:
    got = len(page.rows)
    if got > asked:
        yield warning(
            "page size",
            f"Asked for {asked} rows, the API returns {got}. It ignores page_size, so each sync reads everything at least twice: ask the vendor.",
        )
    elif page.has_next and got < asked:
        yield ok("page size", f"The API returns {got} rows a page instead of {asked}; a sync adapts to it.")
    else:
        yield ok("page size", f"The API accepts {asked} rows a page.")


def _order(api: Api, page: Page, asked: int) -> Iterator[Finding]:
    """Reads the first page and one that overlaps it, as a sync does."""
    chain = Chain()
    window = Window(1, asked)
    try:
        chain.join(window, page.rows)
        if page.has_next and (following := next_window(len(chain), min(asked, len(page.rows)))):
            more = api.page(following).result()
            chain.join(following, more.rows if more else [])
    except Disorder:
        yield warning(
            "order",
            "The listing is not newest first, so each sync reads everything at least twice: sync less often, or narrow it with --agent-id.",
        )
    else:
        yield ok("order", f"The listing is newest first, judging by {len(chain)} results.")


def _by_id(api: Api, page: Page) -> Iterator[Finding]:
    ids = [row.key for row in page.rows if isinstance(row.key, int)]
    for id_, row in api.results_by_id(ids[:1], {"id"}, (), list_in_percent=False):
        if isinstance(row, CekuraSyncError):
            yield failure("by id", row)
        elif row is None:
            yield warning(
                "by id",
                f"The API lists result {id_} but answers 404 to its id. So no deletion can be proved, and a sync that finds one exits with 5: ask the vendor.",
            )
        else:
            yield ok("by id", "A listed result answers by id.")


def _rows(page: Page) -> Iterator[Finding]:
    flawed = [row.flaw for row in page.rows if row.flaw is not None]
    if flawed:
        yield warning(
            "rows",
            f"{len(flawed)} of the newest {len(page.rows)} results cannot be stored ({flawed[0]}): see cekura.rejected_rows after a sync.",
        )
    if not page.rows:
        yield warning(
            "rows",
            "The key sees no results: if some have run, check that the key belongs to the right project.",
        )
        return
    rates = [_rate(row.raw) for row in page.rows if row.flaw is None]
    known = [rate for rate in rates if rate is not None]
    if any(rate > ABOVE_1 for rate in known):
        yield ok("scale", "success_rate is a percentage; the views convert it to 0 to 1.")
    elif any(known):
        yield ok("scale", f"success_rate is 0 to 1, judging by {len(known)} results.")
    else:
        yield ok(
            "scale",
            "No result shows yet whether success_rate is a percentage; the views decide when one does.",
        )


def _rate(raw: str) -> float | None:
    """The row's success_rate; None where it is no number, or the row cannot be read, as a sync will say."""
    try:
        rate = read_row(raw).get("success_rate")
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    return rate if isinstance(rate, int | float) and not isinstance(rate, bool) else None
