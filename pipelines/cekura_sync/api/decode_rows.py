"""Decodes list pages: bytes in, rows out, one raw JSON text per result.

Only what paging needs is decoded here (id, created_at); everything else stays text for DuckDB to parse.
Every row gets the same form: `runs` and `scenarios` become arrays of objects.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from cekura_sync.api.forms import LISTS, as_arrays, identity, listed
from cekura_sync.api.json_values import bigint
from cekura_sync.api.personal import PersonalData
from cekura_sync.api.times import microseconds
from cekura_sync.errors import ApiUnavailable, UnbelievableAnswer, UnreadableAnswer

# Possessive, and accepts a string without an end: it reads nothing twice.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[][{},]', re.DOTALL)
_RESULTS = re.compile(rb'"results"\s*:\s*\[')
_LEADING_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*"?(\d{1,18})\b')
ABOVE_1 = 1.01  # less is 1 with a rounding error


class Row(NamedTuple):
    """One result as listed. `flaw` says why it cannot be stored; without one, `raw` is valid JSON in array form."""

    key: int | str  # the id, or the raw text if the id is not usable
    created: int | None  # microseconds since 1970, for ordering
    raw: str
    flaw: str | None = None


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    count: int | None  # a hint: some APIs send a wrong one
    has_next: bool


class _Envelope(msgspec.Struct):
    results: list[msgspec.Raw]
    count: Any = None
    next: Any = None


class _Listed(msgspec.Struct):
    id: Any = None
    created_at: Any = None
    runs: msgspec.Raw = msgspec.Raw(b"null")
    scenarios: msgspec.Raw = msgspec.Raw(b"null")


_envelope = msgspec.json.Decoder(_Envelope)
_listed = msgspec.json.Decoder(_Listed)


def decode_page(body: bytes) -> Page:
    """A results page. Raises UnreadableAnswer, ApiUnavailable (cut short), UnbelievableAnswer (another shape)."""
    require_object(body)
    try:
        envelope, rows = _decode_envelope(body)
    except msgspec.ValidationError as error:
        raise UnbelievableAnswer(f"The response is not a page of results ({error}): {begins(body)}") from None
    return Page([_row(raw) for raw in rows], bigint(envelope.count), envelope.next is not None)


def decode_detail(
    body: bytes, row_keys: Collection[str], run_keys: Collection[str], *, list_in_percent: bool
) -> Row:
    """One result by id, cut to the keys that list rows carry and in their scale, so that both give one record."""
    require_object(body)
    try:
        detail = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _flawed(body, f"not valid JSON: {error}")
    if "id" not in detail or "created_at" not in detail:
        raise UnbelievableAnswer(f"The response is not a result: {begins(body)}")
    row = {name: value for name, value in detail.items() if name in row_keys}
    as_arrays(row)
    if isinstance(row.get("runs"), list):
        row["runs"] = [
            {name: value for name, value in run.items() if name in run_keys} if isinstance(run, dict) else run
            for run in row["runs"]
        ]
    _in_scale_of_list(row, list_in_percent=list_in_percent)
    return _row(msgspec.json.encode(row))


def require_object(body: bytes) -> None:
    text = body.strip()
    if not text.startswith(b"{"):
        if not _why_not_json(text):
            raise UnbelievableAnswer(f"The response is JSON, but not an object: {begins(body)}")
        raise UnreadableAnswer(f"The response is not JSON: {begins(body)}")
    if (encoding := json.detect_encoding(text)) != "utf-8":
        raise UnreadableAnswer(
            f"The response is not in UTF-8 but seems to be in {encoding.upper()}: {begins(body)}"
        )
    if not text.endswith(b"}"):
        if "trailing characters" in _why_not_json(text):
            raise UnreadableAnswer(f"The response has more text after its JSON: {begins(body)}")
        raise ApiUnavailable(
            f"The response was cut short after {len(body):,} bytes: check the network, or lower --page-size."
        )


def _why_not_json(text: bytes) -> str:
    """What the parser says; empty if it is JSON."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return ""


def _decode_envelope(body: bytes) -> tuple[_Envelope, list[bytes]]:
    try:
        envelope = _envelope.decode(body)
        return envelope, [bytes(raw) for raw in envelope.results]
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError):
        # One bad row (NaN, a lone surrogate, a nesting bomb) must not cost the page its other rows.
        return _split(body)


def _split(body: bytes) -> tuple[_Envelope, list[bytes]]:
    """Cut the elements of `results` out of a page that does not parse as a whole."""
    opening = _RESULTS.search(body)
    if opening is None:
        raise UnreadableAnswer(f"The response is not JSON: {begins(body)}")
    rows, start, depth = [], opening.end(), 0
    for token in _TOKENS.finditer(body, start):
        if token[0] in (b"[", b"{"):
            depth += 1
        elif token[0] in (b"]", b"}") and depth:
            depth -= 1
        elif token[0] == b"," and not depth:
            rows.append(body[start : token.start()].strip())
            start = token.end()
        elif token[0] == b"]":
            rows.append(body[start : token.start()].strip())
            try:
                return _envelope.decode(body[: opening.end()] + body[token.start() :]), [
                    raw for raw in rows if raw
                ]
            except (msgspec.DecodeError, RecursionError) as error:
                raise UnreadableAnswer(f"The response is not JSON ({error}): {begins(body)}") from None
    raise ApiUnavailable(
        f"The response was cut short after {len(body):,} bytes: check the network, or lower --page-size."
    )


def _row(raw: bytes) -> Row:
    try:
        listed = _listed.decode(raw)
        text = raw.decode()
        if _odd(listed.runs) or _odd(listed.scenarios):
            row = msgspec.json.decode(raw)
            as_arrays(row)
            for name in LISTS:
                if not isinstance(row.get(name), list | None):
                    return _flawed(raw, f"{name} is not a list")
            text = msgspec.json.encode(row).decode()
    except msgspec.ValidationError:
        return _flawed(raw, "not an object")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _flawed(raw, f"not valid JSON: {error}")
    key = identity(listed.id)
    return Row(text if key is None else key, microseconds(listed.created_at), text)


def _flawed(raw: bytes, flaw: str) -> Row:
    text, id_ = raw.decode("utf-8", "backslashreplace"), _id_in(raw)
    return Row(text if id_ is None else id_, None, text, flaw)


def _id_in(raw: bytes) -> int | None:
    """By a reader that takes more than JSON, such as NaN; where that cannot read it either, the id that it begins with."""
    try:
        row = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        leading = _LEADING_ID.match(raw)
        return int(leading[1]) if leading else None
    return identity(row.get("id")) if isinstance(row, dict) else None


def _odd(value: msgspec.Raw) -> bool:
    """Whether `runs` or `scenarios` is anything but null, empty or an array of objects (judged by its start)."""
    start = bytes(value)[:64]
    return not (start == b"null" or re.match(rb"\[\s*[{\]]", start))


def _in_scale_of_list(row: dict[str, Any], *, list_in_percent: bool) -> None:
    """The vendor's documents disagree about the scale of this endpoint; the runs decide."""
    given = row.get("success_rate")
    rate = given if isinstance(given, float) else bigint(given)
    if rate is None:
        return  # what is no such number is left to those who reject it
    runs: list[Any] = [run.get("success") for run in listed(row, "runs") if isinstance(run, dict)]
    share = runs.count(True) / len(runs) if any(isinstance(success, bool) for success in runs) else None
    in_percent = rate > ABOVE_1
    if not in_percent and share is not None:  # at most 1 %, and at least one run
        in_percent = rate / 100 * len(runs) >= 0.5 and abs(rate / 100 - share) < abs(rate - share)
    if in_percent and not list_in_percent:
        # The share and not the quotient, which may differ from the list in the last digit.
        row["success_rate"] = share if share is not None and abs(rate / 100 - share) < 1e-9 else rate / 100
    elif share and not in_percent and list_in_percent:
        row["success_rate"] = rate * 100


def another_result(asked: int, flaw: str | None = None) -> UnbelievableAnswer:
    """The error where a result's own address brings another id than the one that was asked for, or no id."""
    because = f" ({flaw})" if flaw else ""
    return UnbelievableAnswer(
        f"Asked for result {asked}, the API answers with another id or with none{because}: try again later."
    )


def begins(body: bytes) -> str:
    """The start of an unexpected response, up to what may have been said in a call; and what to check."""
    text = PersonalData().allowed_text(body[:120].decode("utf-8", "replace"))
    excerpt = "".join(character if character.isprintable() else " " for character in text)
    return (
        f"{excerpt}: check --api-url, and whether a proxy or a maintenance page answers instead of the API."
    )
