"""From a request to the answer that the API would give: key, routes, payloads. Knows no sockets."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from cekura_sync.sandbox import newer
from cekura_sync.sandbox.detail import detail
from cekura_sync.sandbox.faults import Answer, Request
from cekura_sync.sandbox.newer import GENERATIONS
from cekura_sync.sandbox.pages import ORDERS, BadFilterError, InvalidPageError, Listing, Page, links, paginate
from cekura_sync.sandbox.render import (
    COMMA,
    PAGE_END,
    SCALES,
    SHAPES,
    Form,
    Packed,
    RowCache,
    dump,
    gzipped,
    pack,
    shaped,
)
from cekura_sync.sandbox.rows import Entry, Row
from cekura_sync.sandbox.world import World

KEY_HEADER = "x-cekura-api-key"
METHODS = ("GET", "HEAD")
ROUTE = re.compile(r"/test_framework/(?P<version>v[12])/results/(?:(?P<id>[^/]+)/)?")
COUNTS = ("right", "zero", "wrong", "missing")
GZIP_FROM = 200  # bytes; below that it does not pay
NO_RESULT = "No Result matches the given query."

Rewrite = Callable[[Request, Row], "Row | bytes | None"]


@dataclass(frozen=True, slots=True)
class Options:
    """How this account's API behaves, where accounts and readings of the document differ."""

    key: str = "sandbox-key"
    page_size_cap: int = 200
    default_page_size: int = 20
    shape: str = "observed"
    scale: str = "fraction"
    generation: str = "old"
    summaries: bool = True
    deprecated: tuple[str, ...] = ()  # versions of the API
    order: str = "created_desc"
    ignore_page_size: bool = False
    count: str = "right"
    twins: bool = True
    gzip: bool = True

    def __post_init__(self) -> None:
        known = {
            "shape": SHAPES,
            "scale": SCALES,
            "generation": GENERATIONS,
            "order": tuple(ORDERS),
            "count": COUNTS,
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"Unknown {name} {getattr(self, name)!r}: choose {', '.join(values)}.")


class Service:
    def __init__(self, world: World, options: Options) -> None:
        self.world, self.options = world, options
        self._listing = Listing(world, options.order, twins=options.twins)
        self._form = Form(options.shape, options.scale, options.generation, options.summaries)
        self._rows = RowCache(self._form)

    def answer(self, request: Request, rewrite: Rewrite | None) -> Answer:
        route = ROUTE.fullmatch(request.path)
        if route is None:
            return self._off_the_map(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = request.headers.get(KEY_HEADER) or bearer or None
        if given is None:
            return _problem(401, "Authentication credentials were not provided.")
        if not hmac.compare_digest(given.encode(), self.options.key.encode()):
            return _problem(403, "Invalid API key.")
        if request.method not in METHODS:
            refusal = _problem(405, f'Method "{request.method}" not allowed.')
            return replace(refusal, headers={**refusal.headers, "Allow": ", ".join(METHODS)})
        zipped = self.options.gzip and "gzip" in request.headers.get("accept-encoding", "")
        with self.world.lock:
            if route["id"] is None:
                answer = self._list(request, rewrite, zipped=zipped)
            else:
                answer = self._by_id(request, route["id"], rewrite, zipped=zipped)
        if route["version"] in self.options.deprecated:
            answer = replace(answer, headers={**answer.headers, "Deprecation": "true"})
        return answer

    def warm(self) -> None:
        """Render every row now, so that a benchmark measures its client and not this."""
        with self.world.lock:
            for entry in self.world.entries.values():
                self._packed(entry)

    def _off_the_map(self, request: Request) -> Answer:
        if ROUTE.fullmatch(request.path + "/") is None:
            return _problem(404, "Not found.")
        query = request.target.partition("?")[2]
        location = quote(request.path) + "/" + (f"?{query}" if query else "")
        return Answer(301, b"", {"Location": location, "Content-Type": "text/html; charset=utf-8"})

    def _list(self, request: Request, rewrite: Rewrite | None, *, zipped: bool) -> Answer:
        options = self.options
        cap = options.default_page_size if options.ignore_page_size else options.page_size_cap
        query = {**request.query, "page_size": ""} if options.ignore_page_size else request.query
        try:
            found = self._listing.entries(request.query)
            page = paginate(found, query, min(options.default_page_size, cap), cap)
        except BadFilterError as problem:
            return _json(400, dump({problem.args[0]: [problem.args[1]]}))
        except InvalidPageError:
            return _problem(404, "Invalid page.")
        envelope = self._envelope(request, page)
        if rewrite is not None:
            rows = [self._readable(entry) for entry in page.entries]
            return _rewritten(request, {**envelope, "results": rows}, rewrite, zipped=zipped)
        return _page_answer(envelope, [self._packed(entry) for entry in page.entries], zipped=zipped)

    def _envelope(self, request: Request, page: Page) -> Row:
        following, preceding = links(f"http://{request.headers.get('host', '')}{request.target}", page)
        counts = {"right": page.total, "zero": 0, "wrong": page.total // 2}
        count = {} if self.options.count == "missing" else {"count": counts[self.options.count]}
        return {**count, "next": following, "previous": preceding}

    def _by_id(self, request: Request, asked: str, rewrite: Rewrite | None, *, zipped: bool) -> Answer:
        # Twenty digits are more than any database has, and fewer than Python refuses to read.
        known = asked.isdecimal() and len(asked) < 20
        entry = self.world.entries.get(int(asked)) if known else None
        if entry is None:
            return _problem(404, NO_RESULT)
        if entry.raw is not None:
            return _json(200, entry.raw, zipped=zipped)
        row = self.world.row(entry)
        # The vendor's own client reads a percentage here, where its document of the list says a fraction.
        form = self._form._replace(scale=self.options.scale.removesuffix("_by_id"))
        listed, is_new = shaped(row, form), form.generation == "new"
        # Full runs are made of the list's summaries, whichever shape the list gives them.
        summaries = newer.listed(row)["runs"] if is_new else row["runs"]
        payload = detail({**listed, "runs": summaries}, entry, self.world.account, form.shape)
        payload = newer.by_id(payload) if is_new else payload
        if rewrite is not None:
            return _rewritten(request, payload, rewrite, zipped=zipped)
        return _json(200, dump(payload), zipped=zipped)

    def _packed(self, entry: Entry) -> Packed:
        known = self._rows.get(entry)
        return known or self._rows.put(entry, self.world.row(entry))

    def _readable(self, entry: Entry) -> Row:
        """The row as a client would parse it; one that no client could parse, as it truly is."""
        try:
            row: Row = json.loads(self._packed(entry).plain)
        except ValueError:
            return self.world.row(entry)
        return row


def _page_answer(envelope: Row, rows: list[Packed], *, zipped: bool) -> Answer:
    head = pack(dump(envelope)[:-1] + b',"results":[')
    pieces = [head]
    for place, row in enumerate(rows):
        pieces += (COMMA, row) if place else (row,)
    pieces.append(PAGE_END)
    plain = b"".join([piece.plain for piece in pieces])
    if zipped and len(plain) >= GZIP_FROM:
        return Answer(200, gzipped(pieces, plain), _headers(zipped=True))
    return Answer(200, plain, _headers(zipped=False))


def _rewritten(request: Request, payload: Row, rewrite: Rewrite, *, zipped: bool) -> Answer:
    changed = rewrite(request, payload)
    body = changed if isinstance(changed, bytes) else dump(payload if changed is None else changed)
    return _json(200, body, zipped=zipped)


def _problem(status: int, text: str) -> Answer:
    return _json(status, dump({"detail": text}))


def _json(status: int, body: bytes, *, zipped: bool = False) -> Answer:
    zipped = zipped and len(body) >= GZIP_FROM
    return Answer(status, gzipped([pack(body)], body) if zipped else body, _headers(zipped=zipped))


def _headers(*, zipped: bool) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Vary": "Accept-Encoding"}
    return {**headers, "Content-Encoding": "gzip"} if zipped else headers
