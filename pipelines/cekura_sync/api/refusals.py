"""What an answer without the data means, and what to do about it."""

from datetime import timedelta

import httpx
import msgspec

from cekura_sync.api.limits import retry_after
from cekura_sync.errors import ApiUnavailable, CekuraSyncError, KeyRefused, RateLimited, UnbelievableAnswer


def refusal(
    response: httpx.Response, words: str, *, is_token: bool, key_from: str, clock_ahead: timedelta | None
) -> CekuraSyncError:
    """The error to raise. `words`: the API's own, from `words_of`; `is_token`: the key is the login of Cekura's CLI."""
    status = response.status_code
    if status in (401, 403):
        return _refused(status, words, is_token=is_token, key_from=key_from)
    if status == 429:
        after = retry_after(response.headers.get("Retry-After"), clock_ahead)
        return RateLimited(
            "The API limits the rate of requests (429): try again later, or lower --concurrency.", after
        )
    if status in (408, 425):
        return ApiUnavailable(f"The API asks for the same request again ({status}): try again later.")
    if status >= 500:
        return ApiUnavailable(f"The API is down ({status}{words}): try again later.")
    if response.has_redirect_location:
        return UnbelievableAnswer(
            f"The API redirects elsewhere ({status}), and redirects are not followed: check --api-url."
        )
    return UnbelievableAnswer(
        f"The API answers {status}{words}: check --api-url, --api-version and the filters."
    )


def _refused(status: int, words: str, *, is_token: bool, key_from: str) -> CekuraSyncError:
    if not words:
        return ApiUnavailable(
            f"Something before the API, such as a firewall or a proxy, refuses the request ({status} without the API's own words): ask who runs it, or try again later."
        )
    if is_token:
        return KeyRefused(
            f"The API refuses the login in {key_from} ({status}{words}): log in again with Cekura's own CLI, or set CEKURA_API_KEY."
        )
    return KeyRefused(
        f"The API refuses the key ({status}{words}): check {key_from}, and what the key may do."
    )


def words_of(body: bytes, key: str) -> str:
    """The API's own words about an error, as `: words`, or nothing when the body is not a JSON object."""
    try:
        answer = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    words = str(answer.get("detail", "no detail")).replace(key, "…")[:200]
    return ": " + "".join(character if character.isprintable() else " " for character in words)
