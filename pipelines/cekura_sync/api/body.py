"""The body of a response as it arrives, decompressed step by step."""

import zlib
from collections.abc import Iterator

import httpx

_GZIP = 16 + zlib.MAX_WBITS
_STEP = 1 << 20  # bytes: a few compressed kilobytes must not fill the memory at once


def unpacked(response: httpx.Response) -> Iterator[bytes]:
    """httpx reads only the first member of a gzip body; RFC 1952 allows several. Raises zlib.error and httpx's errors."""
    if response.headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip"):
        return _gunzipped(response.iter_raw())
    return response.iter_bytes()


def _gunzipped(packed: Iterator[bytes]) -> Iterator[bytes]:
    member, is_first = zlib.decompressobj(_GZIP), True
    for chunk in packed:
        while chunk:
            try:
                yield member.decompress(chunk, _STEP)
            except zlib.error:
                if is_first:
                    raise
                return  # padding after the last member
            chunk = member.unconsumed_tail
            if member.eof:
                chunk = member.unused_data
                member, is_first = zlib.decompressobj(_GZIP), False
    yield member.flush()
