"""Rows as JSON, in the shape that the API shows or in the one that its document describes, packed once."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from cekura_sync.sandbox import newer
from cekura_sync.sandbox.rows import Entry, Row

SHAPES = ("observed", "literal")
SCALES = ("fraction", "percent", "percent_by_id")
COUNTS = (
    "met_expected_outcome_count",
    "total_expected_outcome_count",
    "total_runs_count",
    "completed_runs_count",
    "success_runs_count",
    "failed_runs_count",
)
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
GZIP_END = b"\x03\x00"  # an empty last block


class Packed(NamedTuple):
    """Bytes, and the same bytes deflated so that pieces can be put one after the other."""

    plain: bytes
    deflated: bytes


def pack(plain: bytes) -> Packed:
    # A full flush ends at a byte and forgets what came before: the piece fits after any other.
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Packed(plain, deflate.compress(plain) + deflate.flush(zlib.Z_FULL_FLUSH))


COMMA, PAGE_END = pack(b","), pack(b"]}")


def gzipped(pieces: Sequence[Packed], plain: bytes) -> bytes:
    """The gzip file of `plain`, which is what the pieces amount to."""
    tail = struct.pack("<LL", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    return b"".join((GZIP_HEAD, *(piece.deflated for piece in pieces), GZIP_END, tail))


def dump(value: object) -> bytes:
    """Compact UTF-8 as Django REST framework sends it; a lone surrogate stays an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


class Form(NamedTuple):
    """How this account's API shows rows."""

    shape: str = "observed"
    scale: str = "fraction"
    generation: str = "old"
    summaries: bool = True


def shaped(row: Row, form: Form) -> Row:
    """The row as this account's API would show it."""
    shape, scale = form.shape, form.scale
    row = newer.listed(row) if form.generation == "new" else dict(row)
    if not form.summaries:
        row["runs"] = None
    if scale == "percent" and isinstance(row.get("success_rate"), int | float):
        row["success_rate"] = round(row["success_rate"] * 100, 2)
    if shape == "literal":
        row.update({name: str(row[name]) for name in COUNTS if name in row})
        row["is_cronjob"] = str(row["is_cronjob"]).lower()
        row["runs"] = _keyed(row["runs"])
        row["scenarios"] = _keyed(row["scenarios"])
    return row


def _keyed(items: Any) -> Any:
    return {str(item["id"]): item for item in items} if isinstance(items, list) else items


class RowCache:
    """Each row's bytes, kept until its entry changes: an entry is never changed in place."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._rows: dict[int, tuple[Entry, Packed]] = {}

    def get(self, entry: Entry) -> Packed | None:
        known = self._rows.get(entry.id)
        return known[1] if known is not None and known[0] is entry else None

    def put(self, entry: Entry, row: Row) -> Packed:
        plain = entry.raw if entry.raw is not None else dump(shaped(row, self._form))
        packed = pack(plain)
        self._rows[entry.id] = (entry, packed)
        return packed
