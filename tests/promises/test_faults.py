"""What can go wrong at the API, as a table: one line, one fault, and the warehouse is the API's truth or its former self.

Every case begins with a warehouse of an account that has changed since: results were added, edited, finished and deleted.
Exit 0 must bring all of that, per id; any other exit must leave the published file as it was, to the byte.
"""

import gzip
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from cekura_sync.api import client
from cekura_sync.sandbox import Answer, Fault, Request
from support.aged import aged_by_one_list
from support.first_syncs import FirstSyncs
from support.harness import LONG, Account, NewAccount, Ran, Record, assert_same

NOW = datetime.now(UTC)
RESULTS, PAGE = 90, 20
WORLD = {"results": RESULTS, "runs_per_result": 2, "page_size_cap": PAGE}


Arrange = Callable[[Account], None]


@pytest.fixture
def settled(new_account: NewAccount, first_syncs: FirstSyncs) -> NewAccount:
    """Accounts of one history, however their API shows it, after one first sync."""

    def make(**options: Any) -> Account:
        account = new_account(**{"now": first_syncs.now()} | WORLD | options)
        first_syncs.give(account, kind=WORLD)
        return account

    return make


def move_on(account: Account) -> None:
    """The account changes: results are added at the top and far below, edited at both ends, finished and deleted."""
    ids = sorted(account.world.results)
    account.world.insert(3)
    account.world.insert_late(2, timedelta(days=25))
    account.world.edit(ids[-10], name="edited lately")
    account.world.touchless_edit(ids[5], name="edited quietly, long ago")
    account.world.finish()
    account.world.delete(ids[40])
    account.world.drop_runs(ids[50], keep=1)


def fingerprint(account: Account) -> bytes:
    return hashlib.sha256(account.warehouse.read_bytes()).digest()


# -- the words of the table -------------------------------------------------------------------------------------------


def case(sentence: str, arrange: Arrange, code: int, says: str = "", *options: str, **world: Any) -> Any:
    """One line of a table."""
    return pytest.param(arrange, code, says, options, world, id=sentence)


def rare(sentence: str, arrange: Arrange, code: int, says: str = "", *options: str, **world: Any) -> Any:
    """A line so close to another one that only the long run takes it."""
    return pytest.param(arrange, code, says, options, world, id=sentence, marks=pytest.mark.long)


def fault(kind: str, first: int = 1, last: int | None = None, **more: Any) -> Arrange:
    """One of the stand-in's own faults."""
    return lambda account: account.sandbox.faults.append(Fault(kind, first, last, **more))


def is_list(request: Request) -> bool:
    return request.path.endswith("/results/")


def is_by_id(request: Request) -> bool:
    return not is_list(request)


def answer(
    status: int = 200,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    times: int | None = None,
    to: Callable[[Request], bool] = is_list,
    **more: Any,
) -> Arrange:
    """This answer instead of the true one, for ever or so many times."""

    def arrange(account: Account) -> None:
        left = itertools.count()

        def intercept(request: Request) -> Answer | None:
            if to(request) and (times is None or next(left) < times):
                return Answer(status, body, headers or {}, **more)
            return None

        account.sandbox.intercept = intercept

    return arrange


def pages(change: Callable[[dict[str, Any]], Any]) -> Arrange:
    """True pages, but for what `change` does to each."""

    def arrange(account: Account) -> None:
        def rewrite(_: Request, payload: dict[str, Any]) -> bytes | None:
            changed = change(payload) if "results" in payload else None
            return changed if isinstance(changed, bytes) else None

        account.sandbox.rewrite = rewrite

    return arrange


def members(pack: Callable[[bytes], bytes], padding: bytes = b"") -> Arrange:
    """True pages, each packed in three parts."""

    def arrange(account: Account) -> None:
        listing(window_of)(account)
        plain = account.sandbox.intercept
        assert plain

        def intercept(request: Request) -> Answer | None:
            given = plain(request)
            if given is None or given.status != 200:
                return given
            parts = [given.body[:100], given.body[100:500], given.body[500:]]
            return Answer(200, b"".join(map(pack, parts)) + padding, {"Content-Encoding": "gzip"})

        account.sandbox.intercept = intercept

    return arrange


def window_of(rows: list[dict[str, Any]], _request: Request, number: int, size: int) -> list[dict[str, Any]]:
    return window(rows, number, min(size, PAGE))


def listing(choose: Callable[[list[dict[str, Any]], Request, int, int], list[dict[str, Any]]]) -> Arrange:
    """A listing that is ours: `choose(rows, request, page, size)` gives the rows of each page, 404 where there are none."""

    def arrange(account: Account) -> None:
        def intercept(request: Request) -> Answer | None:
            if not is_list(request):
                return None
            rows = [account.world.results[id_] for id_ in sorted(account.world.results, reverse=True)]
            rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
            number, size = int(request.query["page"]), int(request.query["page_size"])
            chosen = choose(rows, request, number, size)
            if not chosen:
                return Answer(404, b'{"detail": "Invalid page."}')
            page = {"count": len(rows), "next": "more", "previous": None, "results": chosen}
            return Answer(200, json.dumps(page).encode())

        account.sandbox.intercept = intercept

    return arrange


def window(rows: list[dict[str, Any]], page: int, size: int) -> list[dict[str, Any]]:
    return rows[(page - 1) * size : page * size]


def also(*arrangements: Arrange) -> Arrange:
    def arrange(account: Account) -> None:
        for each in arrangements:
            each(account)

    return arrange


def delete(how_many: int) -> Arrange:
    def arrange(account: Account) -> None:
        for id_ in sorted(account.world.results)[10 : 10 + how_many]:
            account.world.delete(id_)

    return arrange


def delete_all(account: Account) -> None:
    for id_ in list(account.world.results):
        account.world.delete(id_)


def nothing(_: Account) -> None: ...


def _waits(*waits: str) -> Arrange:
    """Throttled once with each of these as Retry-After."""

    def arrange(account: Account) -> None:
        left = list(waits)
        account.sandbox.intercept = lambda _: (
            Answer(429, b"{}", {"Retry-After": left.pop()}) if left else None
        )

    return arrange


def one_after_the_other(*answers: Answer) -> Arrange:
    """Each of these once, then the truth."""

    def arrange(account: Account) -> None:
        left = list(reversed(answers))
        account.sandbox.intercept = lambda _: left.pop() if left else None

    return arrange


def _odd_counts(account: Account) -> None:
    odd = itertools.cycle([-5, None, 10**30, [1], {"n": 1}, True, 0.5, "", 0])
    pages(lambda page: page.update(count=next(odd)))(account)


PAGE_OF_ONE_ROW = b'{"count": 1, "next": null, "results": [{"id": 1, "created_at": "2026-01-01T00:00:00Z"'
HTML = b"<html><body>We will be back soon</body></html>"
BOMB = gzip.compress(b'{"results": [' + b" " * (3 << 20) + b"]}")
ELSEWHERE = "http://127.0.0.1:9/stolen?page=2"

# -- the answers of the API -------------------------------------------------------------------------------------------


def _with_a_byte_order_mark(page: dict[str, Any]) -> bytes:
    return b"\xef\xbb\xbf" + json.dumps(page).encode()


ANSWERS = [
    rare("no fault at all", nothing, 0),
    case("the key is unknown", fault("401"), 3, "refuses the key (401: Authentication credentials"),
    case("the key may not read this", fault("403"), 3, "refuses the key (403: You do not have permission"),
    case("the key is withdrawn in the middle", fault("401", first=3), 3, "refuses the key"),
    case("a firewall refuses us with a page of its own", answer(403, HTML), 4, "before the API"),
    rare("a firewall refuses us once", answer(403, HTML, times=1), 0),
    rare("a proxy wants a login", answer(401, b""), 4, "before the API"),
    rare("408 once", answer(408, HTML, times=1), 0),
    rare("425 once", answer(425, b"", times=1), 0),
    case("408 for ever", answer(408, HTML), 4, "408"),
    rare("a byte-order mark before the JSON", pages(_with_a_byte_order_mark), 0),
    rare("gzip in several members", members(gzip.compress), 0),
    rare("gzip in several members, with padding behind them", members(gzip.compress, b"\0" * 512), 0),
    case("gzip whose second member is damaged", members(lambda part: gzip.compress(part)[:-9] + b"x" * 9), 4, "decompressed"),
    case("there is no such listing", fault("404"), 5, "--api-version"),
    case("a proxy knows no such page", answer(404, HTML), 5, "404"),
    case("the API calls the request bad", answer(400, b'{"page": ["Enter a number."]}'), 5, "400"),
    case("the method is not allowed", answer(405, b'{"detail": "Method \\"GET\\" not allowed."}'), 5, "405"),
    rare("429 once, with a wait of nothing", fault("429", last=1, retry_after=0), 0),
    rare("429 three times, with no wait named", answer(429, b"{}", times=3), 0),
    case(
        "429 with waits that nobody can keep, then a byte-order mark before the JSON",
        also(_waits("soon", "nan", "inf", "-5", "9" * 400, "", "1e400"), pages(_with_a_byte_order_mark)),
        0,
    ),
    rare("429 until dates that have passed, or that no calendar has", _waits("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 99999 99:99:99 GMT"), 0),
    case(
        "429 until a date beyond the budget",
        answer(429, b"{}", {"Retry-After": format_datetime(NOW + timedelta(days=2), usegmt=True)}),
        4,
        "limits the rate",
    ),
    case(
        "all that may pass, one after the other, and counts that are nonsense",
        also(
            one_after_the_other(
                Answer(429, b"{}"), Answer(403, HTML), Answer(408, HTML), Answer(500, HTML), Answer(503), Answer(200, HTML), Answer(200, PAGE_OF_ONE_ROW)
            ),
            _odd_counts,
        ),
        0,
    ),
    case("429 with a wait beyond the budget", fault("429", retry_after=10**6), 4, "limits the rate"),
    case("429 for ever", answer(429, b"{}", {"Retry-After": "0.3"}), 4, "limits the rate", "--timeout", "1s"),
    rare("500 once", fault("500", last=1), 0),
    rare("500 three times", fault("500", last=3), 0),
    rare("500 for ever", fault("500"), 4, "is down (500"),
    case("500 for ever from the third page on", fault("500", first=3), 4, "results were read"),
    rare("502 three times", answer(502, HTML, times=3), 0),
    rare("502 for ever", answer(502, HTML), 4, "is down (502"),
    rare("503 three times", fault("503", last=3), 0),
    rare("503 for ever", fault("503"), 4, "is down (503"),
    rare("503 at every third request", fault("503", probability=0.33), 0),
    rare("HTML with status 200 once", fault("html", last=1), 0),
    case("HTML with status 200 for ever", fault("html"), 5, "not JSON: <!DOCTYPE html>"),
    case("HTML in the middle", fault("html", first=3), 5, "not JSON"),
    case("an error object with status 200", fault("error-object"), 5, "not a page of results"),
    rare("an error object in the middle", fault("error-object", first=3, last=3), 5, "not a page of results"),
    case("results that are no list", answer(200, b'{"results": {"1": {}}}'), 5, "not a page of results"),
    case("results that are null", answer(200, b'{"results": null, "count": 3}'), 5, "not a page of results"),
    case("a JSON array instead of a page", answer(200, b"[]"), 5, "not"),
    rare("a JSON string instead of a page", answer(200, b'"maintenance"'), 5, "not"),
    rare("a body cut short once", fault("truncate", first=2, last=2), 0),
    case("a body cut short for ever", fault("truncate"), 4, "was lost: peer closed"),
    case("an answer that outlasts the budget", answer(200, b"{}", delay=9), 4, "The time for the sync", "--timeout", "1s"),
    case("JSON cut short, of the length declared", answer(200, PAGE_OF_ONE_ROW), 4, "cut short"),
    rare("the same once", answer(200, PAGE_OF_ONE_ROW, times=1), 0),
    case("an empty list once", answer(200, b'{"count": 0, "next": null, "previous": null, "results": []}', times=1), 0),
    case("a whole page with a zero byte behind it", pages(lambda page: json.dumps(page).encode() + b"\0"), 5, "has more text after"),
    rare("a whole page with words behind it", pages(lambda page: json.dumps(page).encode() + b" <!-- 3 ms -->"), 5, "has more text after"),
    rare("UTF-16", pages(lambda page: json.dumps(page).encode("utf-16-le")), 5, "in UTF-16-LE"),
    rare("UTF-16 whose first byte is zero", pages(lambda page: json.dumps(page).encode("utf-16-be")), 5, "not JSON"),
    case("a page whose last brackets are missing", pages(lambda page: json.dumps(page).encode()[:-2]), 4, "cut short"),
    rare("a connection closed without a word, once", fault("disconnect", last=1), 0),
    case("connections closed without a word, for ever", fault("disconnect"), 4, "without sending a response. Check"),
    rare("garbage bytes once", fault("garbage", last=1), 0),
    case("garbage bytes for ever", fault("garbage"), 5, "not JSON"),
    case("gzip that is none", answer(200, b"{}", {"Content-Encoding": "gzip"}), 4, "cannot be decompressed"),
    rare("an empty body once", answer(200, b"", times=1), 0),
    case("an empty body for ever", answer(200, b""), 5, "not JSON"),
    case("204, no content", answer(204), 5, "204"),
    case("304, not modified", answer(304), 5, "304"),
    case("a redirect on the same origin", answer(301, b"", {"Location": "/elsewhere/"}), 5, "redirects"),
    case("a redirect to another origin", fault("redirect"), 5, "redirects are not followed"),
    rare("a redirect in the middle", fault("redirect", first=3), 5, "redirects are not followed"),
    case("a body over the limit", answer(200, b'{"results": [' + b" " * (3 << 20)), 5, "larger than 1 MiB"),
    case(
        "a small body that unpacks beyond the limit",
        answer(200, BOMB, {"Content-Encoding": "gzip"}),
        5,
        "larger than 1 MiB",
    ),
    case("a body that drips for ever", answer(200, b" " * 10**6, drip=0.02), 4, "did not arrive"),
    rare("an answer that comes after the budget", answer(delay=5.0), 4, "", "--timeout", "1s"),
]  # fmt: skip


@pytest.fixture
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BODY_LIMIT", 1 << 20)
    monkeypatch.setattr(client, "SECONDS_PER_REQUEST", 2.0)


@pytest.mark.usefixtures("_small_limits")
@pytest.mark.parametrize(("arrange", "code", "says", "options", "world"), ANSWERS)
def test_answers(
    settled: NewAccount,
    arrange: Arrange,
    code: int,
    says: str,
    options: tuple[str, ...],
    world: dict[str, Any],
) -> None:
    _judge(settled(**world), arrange, code, says, options)


def _judge(account: Account, arrange: Arrange, code: int, says: str, options: tuple[str, ...] = ()) -> Ran:
    """Exit 0 brings the API's truth; anything else leaves the file's bytes, and says why in one sentence."""
    former, bytes_before = account.stored(), fingerprint(account)
    move_on(account)
    arrange(account)

    ran = account.sync("--full", *options)

    assert (ran.code, ran.err if ran.code != code else "") == (code, "")
    assert says in ran.err
    if code == 0:
        account.sandbox.intercept = account.sandbox.rewrite = None
        account.assert_equals_api()
        assert former != account.stored()
    else:
        assert ran.json == {"outcome": "failed", "exit_code": code, "error": ran.json["error"]}
        assert ran.json["error"] in ran.err
        assert fingerprint(account) == bytes_before
        assert_same(account.stored(), former)
    return ran


# -- the listing ------------------------------------------------------------------------------------------------------


def _capped_later(first: int, then: int) -> Arrange:
    """The server lowers or raises its cap of `page_size` after the third request."""
    seen = itertools.count(1)
    return listing(
        lambda rows, _, page, size: window(rows, page, min(size, first if next(seen) <= 3 else then))
    )


def _cycling(period: int) -> Arrange:
    """Pages come round again for ever."""
    return listing(lambda rows, _, page, size: window(rows, (page - 1) % period + 1, min(size, PAGE)))


_next_is_null_too_early = pages(lambda page: page.update(next=None) if page["previous"] else None)


def _set(name: str, value: object) -> Arrange:
    return pages(lambda page: page.update({name: value}))


def _first_page_is_empty(account: Account) -> None:
    account.sandbox.rewrite = lambda request, page: (
        page | {"results": []} if request.query.get("page") == "1" else None
    )


LISTINGS = [
    rare("next names another host", _set("next", ELSEWHERE), 0),
    rare("next is null everywhere", _set("next", None), 0),
    rare("next is null too early", _next_is_null_too_early, 0),
    rare("next is set on the last page", _set("next", "https://api.cekura.ai/?page=99"), 0),
    rare("next names the first page again", _set("next", "?page=1"), 0),
    rare("next is a number", _set("next", 7), 0),
    rare("next is missing", pages(lambda page: page.pop("next")), 0),
    case("pages come round again", _cycling(3), 6, "repeats itself"),
    case("every page is the first", _cycling(1), 6, "repeats itself"),
    rare("count is half of the truth", nothing, 0, count="wrong"),
    rare("count is zero", nothing, 0, count="zero"),
    rare("count is missing", nothing, 0, count="missing"),
    rare("count is a text", _set("count", "ninety"), 0),
    rare("count is nonsense, another one on each page", _odd_counts, 0),
    rare("count is astronomical", _set("count", 10**15), 0),
    rare("count is another one on each page", pages(lambda page: page.update(count=len(page["results"]))), 0),
    case("page_size is lowered silently, and next is null too early", _next_is_null_too_early, 0, page_size_cap=7),
    rare("page_size is lowered to one row", nothing, 0, page_size_cap=1),
    rare("page_size is ignored", nothing, 0, ignore_page_size=True),
    rare("page_size is lowered in the middle", _capped_later(20, 7), 0),
    rare("page_size is raised in the middle", _capped_later(7, 20), 0),
    case("the first page is empty, yet count is not", _first_page_is_empty, 6, "first page is empty"),
    case("the first page is empty, yet there is a next", also(_first_page_is_empty), 6, "first page is empty", count="zero"),
    case("nothing is listed any more", pages(lambda page: page.update(count=0, next=None, results=[])), 7, "None of the 90 known results"),
    rare("oldest first", nothing, 0, order="created_asc"),
    rare("by updated_at", nothing, 0, order="updated_desc"),
    rare("in a stable order without meaning", nothing, 0, order="shuffled_stable"),
    rare("with equal times in any order", nothing, 0, order="created_desc_ties"),
    case("in another order each time", nothing, 6, "no dependable order", order="shuffled_each_time"),
    case("in another order each time, all on one page", nothing, 6, "no dependable order", order="shuffled_each_time", page_size_cap=200),
    rare("the payload of the specification", nothing, 0, shape="literal"),
    rare("without compression", nothing, 0, gzip=False),
]  # fmt: skip


@pytest.mark.parametrize(("arrange", "code", "says", "options", "world"), LISTINGS)
def test_listings(
    settled: NewAccount,
    arrange: Arrange,
    code: int,
    says: str,
    options: tuple[str, ...],
    world: dict[str, Any],
) -> None:
    _judge(settled(**world), arrange, code, says, options)


# -- results by id ----------------------------------------------------------------------------------------------------


def _by_id(change: Callable[[dict[str, Any]], Any]) -> Arrange:
    def arrange(account: Account) -> None:
        account.sandbox.rewrite = lambda request, payload: change(payload) if is_by_id(request) else None

    return also(_unlist, arrange)


def _unlist(account: Account) -> None:
    """A known result is listed no more, though it still answers by id."""
    hidden = sorted(account.world.results)[30]

    def choose(rows: list[dict[str, Any]], _: Request, page: int, size: int) -> list[dict[str, Any]]:
        return window([row for row in rows if row["id"] != hidden], page, min(size, PAGE))

    listing(choose)(account)


def _alone(status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> Arrange:
    """This answer to whoever asks by id for a result that is not listed; all others answer as they are."""

    def arrange(account: Account) -> None:
        _unlist(account)
        listed = account.sandbox.intercept
        hidden = sorted(account.world.results)[30]
        account.sandbox.intercept = lambda request: (
            Answer(status, body, headers or {}) if request.path.endswith(f"/{hidden}/") else listed(request)
        )

    return arrange


BY_ID = [
    case("a result that is not listed answers by id", _unlist, 0),
    case("another result answers", _by_id(lambda row: row | {"id": row["id"] + 1}), 5, "with another id"),
    case("an error object answers", _by_id(lambda _: {"error": "internal"}), 5, "not a result"),
    rare("a list answers", _by_id(lambda _: b"[]"), 5, "not"),
    case("HTML answers", answer(200, HTML, to=is_by_id), 5, "not JSON"),
    case("404 answers for whatever is listed", answer(404, b'{"detail": "Not found."}', to=is_by_id), 5, "denies it by id"),
    case("a proxy's own 404 answers", answer(404, HTML, to=is_by_id), 5, "404"),
    rare("403 answers", answer(403, b'{"detail": "Not yours."}', to=is_by_id), 3, "refuses the key"),
    rare("500 answers three times", answer(500, HTML, times=3, to=is_by_id), 0),
    case("500 answers for ever", answer(500, HTML, to=is_by_id), 4, "is down (500"),
    rare("a redirect answers", answer(302, b"", {"Location": ELSEWHERE}, to=is_by_id), 5, "redirects are not followed"),
    case("500 answers for one result alone", _alone(500, HTML), 0, "1 rows could not be stored"),
    rare("403 answers for one result alone", _alone(403, b'{"detail": "Not yours."}'), 0, "1 rows could not be stored"),
    rare("401 answers for one result alone", _alone(401, b'{"detail": "Not yours."}'), 0, "1 rows could not be stored"),
    rare("a proxy's own 404 answers for one result alone", _alone(404, HTML), 0, "1 rows could not be stored"),
    rare("410 answers for one result alone", _alone(410, b'{"detail": "Gone."}'), 0, "1 rows could not be stored"),
    rare("400 answers for one result alone", _alone(400, b"{}"), 0, "1 rows could not be stored"),
    rare("405 answers for one result alone", _alone(405, b"{}"), 0, "1 rows could not be stored"),
    rare("nothing answers for one result alone", _alone(200, b""), 0, "1 rows could not be stored"),
    rare("an error object answers for one result alone", _alone(200, b'{"error": 1}'), 0, "1 rows could not be stored"),
    rare("another result answers for one result alone", _alone(200, b'{"id": 1, "created_at": "2026-01-01T00:00:00Z"}'), 0, "1 rows could not be stored"),
    rare("a redirect answers for one result alone", _alone(302, b"", {"Location": ELSEWHERE}), 0, "1 rows could not be stored"),
    rare("20 of 90 results were deleted", delete(19), 0),
    case("21 of 90 results were deleted", delete(20), 7, "More than 20 of the 90 known results are gone from the API"),
    rare("85 of 90 results were deleted", delete(75), 7, "--allow-mass-delete"),
    rare("85 of 90 results were deleted, which is accepted", delete(75), 0, "", "--allow-mass-delete"),
    case("all results were deleted", delete_all, 7, "None of the 90 known results"),
    case("all results were deleted, which is accepted", delete_all, 0, "", "--allow-mass-delete"),
]  # fmt: skip


@pytest.mark.parametrize(("arrange", "code", "says", "options", "world"), BY_ID)
def test_results_by_id_and_deletions(
    settled: NewAccount,
    arrange: Arrange,
    code: int,
    says: str,
    options: tuple[str, ...],
    world: dict[str, Any],
) -> None:
    _judge(settled(**world), arrange, code, says, options)


# -- a listing that moves while it is read ----------------------------------------------------------------------------


def after(number: int, move: Callable[[Account], object], last: int | None = None) -> Arrange:
    """`move` happens behind that page of the listing, before the next request is answered."""

    def arrange(account: Account) -> None:
        seen = itertools.count(1)

        def hook(request: Request) -> None:
            if is_list(request) and number <= next(seen) <= (last or number):
                with account.world.lock:
                    move(account)

        account.sandbox.after = hook

    return arrange


def _delete_at(start: int, stop: int) -> Callable[[Account], None]:
    """Delete by position, the newest being 0."""

    def move(account: Account) -> None:
        for id_ in _newest_first(account)[start:stop]:
            account.world.delete(id_)

    return move


def _newest_first(account: Account) -> list[int]:
    return sorted(
        account.world.results, key=lambda id_: account.world.results[id_]["created_at"], reverse=True
    )


def _replace_top(account: Account) -> None:
    _delete_at(0, 2)(account)
    account.world.insert(2)


def _edit_and_rerun(account: Account) -> None:
    newest = _newest_first(account)
    account.world.edit(newest[3], name="edited while being read")
    account.world.rerun(newest[25])


MOVES = [
    rare("the newest row is deleted behind the first page", after(1, _delete_at(0, 1)), 0),
    rare("a row above is deleted behind each of eight pages", after(1, _delete_at(2, 3), last=8), 0),
    case("the row at the stitch is deleted", after(1, _delete_at(PAGE - 1, PAGE)), 0),
    rare("both rows around the stitch are deleted", after(1, _delete_at(PAGE - 1, PAGE + 1)), 0),
    rare("ten rows above are deleted", after(2, _delete_at(0, 10)), 0),
    rare("all that was read is deleted", after(1, _delete_at(0, PAGE)), 0),
    rare("the first of two pages read is deleted", after(2, _delete_at(0, PAGE)), 0),
    rare("a row is inserted behind each of five pages", after(1, lambda account: account.world.insert(1), last=5), 0),
    rare("a row is inserted behind every page, without end", after(1, lambda account: account.world.insert(1), last=10**6), 0),
    rare("a page of rows is inserted behind the first", after(1, lambda account: account.world.insert(PAGE)), 0),
    rare("two pages of rows are inserted in the middle", after(3, lambda account: account.world.insert(2 * PAGE)), 0),
    rare("rows become visible late, above what was read", after(2, lambda account: account.world.insert_late(5)), 0),
    rare("rows become visible late, far below", after(1, lambda account: account.world.insert_late(3, timedelta(days=20))), 0),
    rare("two rows go and two come, behind every page", after(1, _replace_top, last=6), 0),
    rare("rows are edited and rerun", after(2, _edit_and_rerun), 0),
    case("everything below the first page is deleted", after(1, _delete_at(PAGE, 999)), 7, "--allow-mass-delete"),
    rare("everything is deleted behind the first page", after(1, delete_all), 7, "--allow-mass-delete"),
]  # fmt: skip


@pytest.mark.parametrize("concurrency", ["8", pytest.param("1", marks=pytest.mark.long)])
@pytest.mark.parametrize(("arrange", "code", "says", "options", "world"), MOVES)
def test_moves(
    settled: NewAccount,
    arrange: Arrange,
    code: int,
    says: str,
    options: tuple[str, ...],
    world: dict[str, Any],
    concurrency: str,
) -> None:
    """What stood still during the sync is right after it; what moved is right after the next one."""
    account = settled(**world)
    former, bytes_before = account.stored(), fingerprint(account)
    move_on(account)
    before = account.api()
    arrange(account)

    ran = account.sync("--full", "--concurrency", concurrency, *options)

    account.sandbox.after = None
    assert (ran.code, ran.err if ran.code != code else "") == (code, "")
    assert says in ran.err
    if code:
        assert fingerprint(account) == bytes_before
        assert_same(account.stored(), former)
        return
    stored, now = account.stored(), account.api()
    still = {id_: record for id_, record in before.items() if now.get(id_) == record}
    assert len(still) > 40
    assert_same({id_: record for id_, record in stored.items() if id_ in still}, still)
    assert stored.keys() <= former.keys() | before.keys() | now.keys()
    assert account.sync("--full", "--allow-mass-delete").code == 0
    account.assert_equals_api()


# -- how often, and what is kept --------------------------------------------------------------------------------------

PATIENCE = [
    pytest.param(fault("500"), client.ATTEMPTS, id="500 is tried eight times"),
    pytest.param(fault("html"), client.ATTEMPTS, id="HTML is tried eight times"),
    pytest.param(fault("truncate"), client.ATTEMPTS, id="a cut body is tried eight times"),
    pytest.param(fault("disconnect"), client.ATTEMPTS, id="a closed connection is tried eight times"),
    pytest.param(answer(200, PAGE_OF_ONE_ROW), client.ATTEMPTS, id="cut JSON is tried eight times"),
    pytest.param(fault("401"), 1, id="401 is tried once"),
    pytest.param(fault("403"), 1, id="403 is tried once"),
    pytest.param(fault("error-object"), 1, id="JSON of another shape is tried once"),
    pytest.param(answer(200, b"[]"), 1, id="a JSON array is tried once"),
    pytest.param(answer(200, b'"maintenance"'), 1, id="a JSON string is tried once"),
    pytest.param(fault("redirect"), 1, id="a redirect is tried once"),
    pytest.param(answer(200, b'{"results": [' + b" " * (3 << 20)), 1, id="a body over the limit is tried once"),
    pytest.param(answer(400, b'{"detail": "no"}'), 1, id="400 is tried once"),
    pytest.param(fault("404"), 1, id="404 is tried once"),
    pytest.param(fault("429", retry_after=10**6), 1, id="429 with a wait beyond the budget is tried once"),
]  # fmt: skip


@pytest.mark.usefixtures("_small_limits")
@pytest.mark.parametrize(("arrange", "requests"), PATIENCE)
def test_patience(new_account: NewAccount, arrange: Arrange, requests: int) -> None:
    account = new_account(results=5)
    arrange(account)

    assert account.sync().code != 0
    assert len(account.sandbox.requests) == requests
    assert not account.warehouse.exists()


@dataclass(frozen=True)
class AgedOut:
    """What is gone: 31 results older than all others; 23, one of them in flight, that only the list of their agent lets age out; a young one."""

    old: list[int]
    of_one_list: list[int]
    young: int
    former: dict[int, Record]  # before that
    state_by_one_list: list[
        tuple[Any, ...]
    ]  # of those 23 after a sync of their agent: whether alive, whether not aged out
    full: Ran  # after that sync
    found: dict[int, Record]
    aged: list[tuple[int]]
    in_views: list[tuple[int]]
    again: Ran
    restored: Ran  # after one of the old ones has come back
    aged_in_the_end: list[tuple[int]]


@pytest.fixture(scope="module")
def aged_out(new_account_of_many: NewAccount) -> AgedOut:
    account, agent, gone = aged_by_one_list(new_account_of_many)
    world, other = account.world, account.world.agents[1].id
    ago = [world.clock() - timedelta(days=150 + place) for place in range(31)]
    old = sorted(id_ for at in ago for id_ in world.insert(agent=other, created_at=at))
    at = world.clock() - timedelta(days=111)
    more_than_the_brake_lets_pass = world.insert(21, agent=int(agent), created_at=at)
    (in_flight,) = world.insert(agent=int(agent), created_at=at, status="running")
    of_one_list = [gone, *more_than_the_brake_lets_pass, in_flight]
    (young,) = world.insert(agent=other, created_at=world.clock() - timedelta(days=5))
    assert account.sync().code == 0
    former = account.stored()
    for id_ in of_one_list:
        world.delete(id_)
    assert account.sync("--agent-id", agent).code == 0
    listed = ", ".join(map(str, of_one_list))
    state = account.query(
        f"select deleted_at is null, aged_out_at is null from cekura.results where id in ({listed})"
    )
    for id_ in (*old, young):
        world.delete(id_)
    full, found = account.sync("--full"), account.stored()
    sql = "select id from cekura.results where aged_out_at is not null and deleted_at is null order by id"
    aged, in_views = account.query(sql), account.query("select result_id from analytics.results")
    again = account.sync("--full")
    world.restore(old[-1])  # the oldest of them
    restored = account.sync("--full")
    return AgedOut(
        old,
        of_one_list,
        young,
        former,
        state,
        full,
        found,
        aged,
        in_views,
        again,
        restored,
        account.query(sql),
    )


def test_results_that_the_vendor_no_longer_keeps_have_aged_out_and_stay(aged_out: AgedOut) -> None:
    gone = {*aged_out.of_one_list, aged_out.young}

    assert (aged_out.full.code, aged_out.full.json["deleted"]) == (0, len(gone)), aged_out.full.err
    assert_same(aged_out.found, {id_: row for id_, row in aged_out.former.items() if id_ not in gone})
    assert aged_out.aged == [(id_,) for id_ in aged_out.old]
    assert {id_ for (id_,) in aged_out.in_views} == aged_out.found.keys()
    assert aged_out.again.json["changed"] is False
    assert (aged_out.restored.code, aged_out.restored.json["restored"]) == (0, 1), aged_out.restored.err
    assert aged_out.aged_in_the_end == aged_out.aged[:-1], "each of the others is as old as it was"


@pytest.mark.parametrize("first", [pytest.param("the wrong date", marks=pytest.mark.long), "the age"])
def test_a_result_with_a_wrong_date_takes_no_history_away(new_account: NewAccount, first: str) -> None:
    """One that was made today and says 2003 is no sign that the vendor keeps all since then."""
    account = new_account(results=0)
    world, now = account.world, account.world.clock()
    for days in (*range(140, 115, -1), 5, 1):
        world.insert(created_at=now - timedelta(days=days))
    old, of_2003 = sorted(world.results)[:25], datetime(2003, 1, 1, tzinfo=UTC)
    if first == "the wrong date":
        world.insert(created_at=of_2003)
    assert account.sync().code == 0
    for id_ in old:
        world.delete(id_)
    if first == "the age":
        assert account.sync("--full").code == 0
        world.insert(created_at=of_2003)
    world.insert()

    ran = account.sync("--full")

    assert (ran.code, ran.json["deleted"], ran.json["results"]) == (0, 0, 29), ran.err
    assert account.query("select count(*) from cekura.results where aged_out_at is not null") == [(25,)]


def test_what_has_aged_out_by_the_list_of_one_agent_is_judged_again_by_the_list_of_all(
    aged_out: AgedOut,
) -> None:
    assert aged_out.state_by_one_list == [(True, False)] * 23

    assert not {*aged_out.of_one_list} & aged_out.found.keys()
    assert not {*aged_out.of_one_list} & {id_ for (id_,) in aged_out.in_views}


# -- filters ----------------------------------------------------------------------------------------------------------


def _of_agent(account: Account) -> int:
    """The agent with the most results."""
    agents = [row["agent"] for row in account.world.results.values()]
    return max(sorted(set(agents)), key=agents.count)


def test_a_loose_agent_filter_lets_no_other_agent_in(new_account: NewAccount) -> None:
    account = new_account(**WORLD)
    agent = _of_agent(account)
    wanted = {id_: row for id_, row in account.api().items() if row["agent"] == agent}

    def choose(rows: list[dict[str, Any]], _: Request, page: int, size: int) -> list[dict[str, Any]]:
        return window(rows, page, min(size, PAGE))

    listing(choose)(account)
    ran = account.sync("--agent-id", str(agent))

    assert ran.code == 0, ran.err
    assert f"{RESULTS - len(wanted)} rows of other agents" in ran.err
    assert_same(account.stored(), wanted)


def test_scenarios_that_list_a_result_several_times_store_it_once(new_account: NewAccount) -> None:
    account = new_account(**WORLD | {"runs_per_result": 8})
    scenario = next(iter(account.world.results.values()))["runs"][0]["scenario"]
    for id_ in list(account.world.results):
        runs = account.world.results[id_]["runs"]
        if any(run["scenario"] == scenario for run in runs):
            account.world.touchless_edit(id_, runs=[run | {"scenario": scenario} for run in runs])
    wanted = {
        id_: row for id_, row in account.api().items() if any(run[3] == scenario for run in row["runs"])
    }

    ran = account.sync("--scenarios", str(scenario))

    assert ran.code == 0, ran.err
    assert len(wanted) > 3
    assert ran.json["inserted"] == len(wanted)
    assert_same(account.stored(), wanted)


def test_a_filtered_sync_after_a_full_one_marks_only_its_own_agents_rows(settled: NewAccount) -> None:
    account = settled()
    former, agent = account.stored(), _of_agent(account)
    mine = [id_ for id_, row in account.world.results.items() if row["agent"] == agent]
    others = [id_ for id_, row in account.world.results.items() if row["agent"] != agent]
    account.world.delete(mine[3])
    account.world.delete(others[3])
    account.world.edit(others[4], name="edited elsewhere")

    ran = account.sync("--full", "--agent-id", str(agent))

    assert (ran.code, ran.json["deleted"], ran.json["updated"]) == (0, 1, 0), ran.err
    assert_same(account.stored(), {id_: row for id_, row in former.items() if id_ != mine[3]})


def test_a_filter_that_cannot_be_judged_marks_nothing_deleted(settled: NewAccount) -> None:
    account = settled()
    former = account.stored()
    delete(30)(account)

    for options in (
        ("--search", "Nightly"),
        ("--agent-id", "1", "--search", "x"),
        *([("--project-id", "301")] if LONG else []),
    ):
        ran = account.sync("--full", *options)

        assert (ran.code, ran.json["deleted"]) == (0, 0), (options, ran.err)
        assert_same(account.stored(), former)
    assert account.sync("--full", "--allow-mass-delete").json["deleted"] == 30
    account.assert_equals_api()


def test_another_account_at_the_same_warehouse_is_refused(
    settled: NewAccount, new_account: NewAccount
) -> None:
    account = settled()
    before, former = fingerprint(account), account.stored()
    other = new_account(results=40, seed=99)
    other.world.entries = {
        id_ + 10**6: entry._replace(id=id_ + 10**6) for id_, entry in other.world.entries.items()
    }
    other.world.version += 1

    ran = other.sync("--full")

    assert (ran.code, "is this the right key" in ran.err) == (7, True), ran.err
    assert fingerprint(account) == before
    assert_same(account.stored(), former)


def test_a_first_sync_that_fails_leaves_no_warehouse(new_account: NewAccount) -> None:
    account = new_account(results=60, page_size_cap=PAGE)
    account.sandbox.faults.append(Fault("500", first=3))

    assert account.sync().code == 4
    assert not account.warehouse.exists()
