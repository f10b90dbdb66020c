"""The API over HTTP: one `get`, with retries and limits as policy. Knows nothing of pages or tables."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from types import TracebackType
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import tenacity

from cekura_sync import __version__
from cekura_sync.api.limits import Patience, Throttle, clock_ahead, retry_after
from cekura_sync.errors import (
    ApiUnavailable,
    CekuraSyncError,
    KeyRefused,
    RateLimited,
    SettingsError,
    UnbelievableAnswer,
    UnreadableAnswer,
)
from cekura_sync.settings import is_loopback

ATTEMPTS = 8
SECONDS_PER_REQUEST = 30.0
BODY_LIMIT = 64 * 1024 * 1024
backoff = 0.1  # seconds before the first retry, doubled for each further one; tests set it to 0

T = TypeVar("T")

_BUDGET_SPENT = "The time budget of the sync is used up: raise --timeout, or sync a narrower scope."
_ONCE_CONNECTED = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError)
_GRACE = 1.0  # seconds for a request to end by its own limits before we stop waiting for it


class Pending(Generic[T]):
    """An answer under way. However slowly it drips in, nobody waits for it beyond the budget."""

    def __init__(self, future: "Future[T | None]", deadline: float) -> None:
        self._future = future
        self._deadline = deadline

    def result(self) -> T | None:
        try:
            return self._future.result(max(0.0, self._deadline - time.monotonic()) + _GRACE)
        except TimeoutError:
            raise ApiUnavailable(_BUDGET_SPENT) from None

    def cancel(self) -> None:
        self._future.cancel()


class Client:
    """Reads from one origin with one key, at most `concurrency` requests at a time, until `seconds` have passed."""

    def __init__(
        self,
        api_url: str,
        api_key: str,
        *,
        concurrency: int,
        seconds: float,
        max_requests: float = math.inf,
    ) -> None:
        self._url = api_url
        self._key = api_key
        self._deadline = time.monotonic() + seconds
        self._closing = threading.Event()
        self._count_lock = threading.Lock()
        self._throttle = Throttle(concurrency)
        self.concurrency = concurrency
        self.max_requests = max_requests  # beyond which nothing is tried again
        self.requests = 0
        self.retries = 0
        self.clock_ahead: timedelta | None = None  # of ours, against the API's at its last answer
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="cekura-api")
        self._http = self._connect()

    def _connect(self) -> httpx.Client:
        try:
            return httpx.Client(
                headers={
                    "X-CEKURA-API-KEY": self._key,
                    "Accept": "application/json",
                    "Cache-Control": "no-cache",  # an old page from a cache on the way could hide rows
                    "User-Agent": f"cekura-sync/{__version__}",
                },
                limits=httpx.Limits(
                    max_connections=self.concurrency, max_keepalive_connections=self.concurrency
                ),
                follow_redirects=False,  # httpx would carry the key header to another origin
                trust_env=not is_loopback(urlsplit(self._url).hostname or ""),  # no proxy for loopback
            )
        except (ImportError, ValueError, OSError) as error:
            raise SettingsError(
                f"The proxy or certificate settings of the environment cannot be used ({error}): mend or unset them."
            ) from None

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._throttle.release()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def submit(self, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]) -> Pending[T]:
        return Pending(self._pool.submit(self.get, path, params, decode), self._deadline)

    def get(self, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]) -> T | None:
        """The decoded answer, or None for the API's own 404.

        Raises KeyRefused, ApiUnavailable, UnbelievableAnswer, and whatever `decode` raises;
        what is worth another try gets it first.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_worth_another_try),
            wait=self._wait,
            stop=self._give_up,
            sleep=self._sleep,
            before_sleep=self._count_retry,
            reraise=True,
        )
        return retrying(self._get_once, Patience(), path, params, decode)

    def _get_once(
        self, patience: Patience, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]
    ) -> T | None:
        with self._throttle.slot(self._sleep, self._closing.is_set), patience.spent():
            answer = self._ask(path, params, decode)
        self._throttle.went_well()
        return answer

    def _ask(self, path: str, params: Mapping[str, str], decode: Callable[[bytes], T]) -> T | None:
        if time.monotonic() >= self._deadline:
            raise ApiUnavailable(_BUDGET_SPENT)
        with self._count_lock:
            self.requests += 1
        try:
            with self._http.stream(
                "GET", self._url + path, params=params, timeout=self._timeouts()
            ) as response:
                self.clock_ahead = clock_ahead(response.headers.get("Date"))
                return self._interpret(response, self._read(response), decode)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ApiUnavailable(self._what_failed(error)) from None
        except httpx.InvalidURL as error:
            raise UnbelievableAnswer(
                f"{self._url}{path} is not a usable address: {error}. Check --api-url."
            ) from None

    def _what_failed(self, error: Exception) -> str:
        if isinstance(error, httpx.TimeoutException) and time.monotonic() >= self._deadline:
            return _BUDGET_SPENT
        reason = (str(error).replace(self._key, "…") or type(error).__name__).rstrip(".")
        if isinstance(error, httpx.DecodingError):
            return f"The answer of {self._url} cannot be unpacked: {reason}. Check the proxies on the way."
        if isinstance(error, _ONCE_CONNECTED):
            return f"The connection to {self._url} was lost: {reason}. Check the network, or try again later."
        return f"{self._url} cannot be reached: {reason}. Check the address and the network."

    def _timeouts(self) -> httpx.Timeout:
        seconds = max(0.01, min(SECONDS_PER_REQUEST, self._deadline - time.monotonic()))
        return httpx.Timeout(min(10.0, seconds), connect=min(5.0, seconds), read=seconds)

    def _read(self, response: httpx.Response) -> bytes:
        """The body after decompression, within the limits of size and time."""
        if "," in response.headers.get("Content-Encoding", ""):
            # Packed twice, a few kilobytes fill the memory in one step.
            raise UnbelievableAnswer(
                "The answer is packed more than once, which is never unpacked: check --api-url and the proxies on the way."
            )
        chunks, size, until = [], 0, time.monotonic() + SECONDS_PER_REQUEST
        # As they arrive: chunks of a given size would keep a dripping answer from the limits below.
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                raise UnbelievableAnswer(
                    f"The answer is larger than {BODY_LIMIT >> 20} MiB: lower --page-size."
                )
            if time.monotonic() > self._deadline:
                raise ApiUnavailable(_BUDGET_SPENT)
            if time.monotonic() > until or self._closing.is_set():
                raise ApiUnavailable(
                    f"The answer did not arrive within {SECONDS_PER_REQUEST:.0f} s: check the network, or lower --page-size."
                )
        return b"".join(chunks)

    def _interpret(self, response: httpx.Response, body: bytes, decode: Callable[[bytes], T]) -> T | None:
        if response.status_code == 200:
            return self._decoded(body, decode)
        status, detail = response.status_code, _detail(body, self._key)
        if status in (401, 403):
            raise KeyRefused(
                f"The API refuses the key ({status}{detail}): check CEKURA_API_KEY and what it may read."
            )
        if status == 404 and detail:
            return None
        if status == 429:
            after = retry_after(response.headers.get("Retry-After"))
            raise RateLimited(
                "The API limits the rate of requests (429): try again later, or lower --concurrency.", after
            )
        if status >= 500:
            raise ApiUnavailable(f"The API is down ({status}{detail}): try again later.")
        if response.has_redirect_location:
            raise UnbelievableAnswer(
                f"The API redirects elsewhere ({status}), which is never followed: check --api-url."
            )
        raise UnbelievableAnswer(
            f"The API answers {status}{detail}: check --api-url, --api-version and the filters."
        )

    def _decoded(self, body: bytes, decode: Callable[[bytes], T]) -> T:
        try:
            return decode(body)
        except CekuraSyncError:
            # An API that echoes the key must not make us print it: fail in the same way without it.
            decode(body.replace(self._key.encode(), "…".encode()))
            raise

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = _error(state)
        wait: float = backoff * 2 ** min(state.attempt_number - 1, 16)
        if isinstance(error, RateLimited):
            wait = max(min(wait, SECONDS_PER_REQUEST), error.retry_after or 0.0)
            if time.monotonic() + wait < self._deadline:
                self._throttle.pause(wait)
        return wait

    def _give_up(self, state: tenacity.RetryCallState) -> bool:
        wait = state.upcoming_sleep
        if self._closing.is_set() or time.monotonic() + wait > self._deadline:
            return True
        if self.requests >= self.max_requests:
            return True
        if isinstance(_error(state), RateLimited):
            return False
        patience: Patience = state.args[0]
        return patience.failures >= ATTEMPTS or patience.seconds + wait > SECONDS_PER_REQUEST

    def _sleep(self, seconds: float) -> None:
        if seconds > 0 and self._closing.wait(min(seconds, max(0.0, self._deadline - time.monotonic()))):
            raise ApiUnavailable("The sync is stopping.")

    def _count_retry(self, state: tenacity.RetryCallState) -> None:
        if not isinstance(_error(state), RateLimited):
            state.args[0].seconds += state.upcoming_sleep
        with self._count_lock:
            self.retries += 1


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, ApiUnavailable | UnreadableAnswer)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _detail(body: bytes, key: str) -> str:
    """The API's own words about an error, as `: words`, or nothing when the body is not a JSON object."""
    try:
        answer = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    words = str(answer.get("detail", "no detail")).replace(key, "…")[:200]
    return ": " + "".join(character if character.isprintable() else " " for character in words)
