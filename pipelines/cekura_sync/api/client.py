"""The API over HTTP: one `get`, with retries and limits as policy. Knows nothing of pages or tables."""

import codecs
import math
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

import httpx
import tenacity

from cekura_sync import __version__, network
from cekura_sync.api.body import unpacked
from cekura_sync.api.limits import Patience, Throttle, clock_ahead
from cekura_sync.api.refusals import refusal, words_of
from cekura_sync.errors import (
    ApiUnavailable,
    CekuraSyncError,
    RateLimited,
    SettingsError,
    UnbelievableAnswer,
    UnreadableAnswer,
)
from cekura_sync.network import without_secrets

ATTEMPTS = 8
SECONDS_PER_REQUEST = 30.0
LONG_KEY = 8  # characters; a shorter key could be a part of any text
BODY_LIMIT = 64 * 1024 * 1024
backoff = 0.1  # seconds before the first retry, doubled for each further one; tests set it to 0

T = TypeVar("T")

_BUDGET_SPENT = "The time for the sync (--timeout) is used up: raise it, or sync a narrower scope."
_ONCE_CONNECTED = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError)
_GRACE = 1.0  # seconds for a request to end by its own limits before we stop waiting for it


class Pending(Generic[T]):
    """A response that is being read. Nobody waits for it longer than the time budget."""

    def __init__(self, future: "Future[T | None]", deadline: float) -> None:
        self._future = future
        self._deadline = deadline

    def result(self) -> T | None:
        try:
            return self._future.result(max(0.0, self._deadline - time.monotonic()) + _GRACE)
        except TimeoutError:
            raise ApiUnavailable(_BUDGET_SPENT) from None

    def outcome(self) -> T | CekuraSyncError | None:
        """The answer, or what went wrong."""
        try:
            return self.result()
        except CekuraSyncError as error:
            return error

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
        is_token: bool = False,
        key_from: str = "CEKURA_API_KEY",
        max_requests: float = math.inf,
    ) -> None:
        self._url = api_url
        self._key = api_key
        self._is_token = is_token  # of the vendor CLI's login
        self._key_from = key_from  # for messages
        self._deadline = time.monotonic() + seconds
        self._closing = threading.Event()
        self._count_lock = threading.Lock()
        self._throttle = Throttle(concurrency)
        self.concurrency = concurrency
        self.max_requests = max_requests  # no retry after this many
        self.requests = 0
        self.retries = 0
        self.deprecated = False  # the API's own word about what was asked last
        self.clock_ahead: timedelta | None = None  # our clock against the API's, at its last response
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="cekura-api")
        self._http = network.client(
            api_url,
            headers={
                **self._credential(),
                "Accept": "application/json",
                "Cache-Control": "no-cache",  # an old page from a cache on the way could hide rows
                "User-Agent": f"cekura-sync/{__version__}",
            },
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        )

    def _credential(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._is_token else {"X-CEKURA-API-KEY": self._key}

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

        Raises KeyRefused, ApiUnavailable, UnbelievableAnswer, and whatever `decode` raises,
        after retries where a retry may help.
        """
        patience = Patience()
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_worth_another_try),
            wait=self._wait,
            stop=partial(self._give_up, patience),
            sleep=self._sleep,
            before_sleep=partial(self._count_retry, patience),
            reraise=True,
        )
        return retrying(self._get_once, patience, path, params, decode)

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
        with (
            self._transport_errors(),
            self._http.stream("GET", self._url + path, params=params, timeout=self._timeouts()) as response,
        ):
            self.clock_ahead = clock_ahead(response.headers.get("Date"))
            self.deprecated = response.headers.get("Deprecation", "false").lower() not in ("", "false")
            body = self._read(response)
        return self._interpret(response, body, decode)

    @contextmanager
    def _transport_errors(self) -> Iterator[None]:
        """Whatever httpx and its parsers raise, as ours: no list of them would be complete."""
        try:
            yield
        except CekuraSyncError:
            raise
        except (httpx.TransportError, httpx.DecodingError, zlib.error) as error:
            raise ApiUnavailable(self._what_failed(error)) from None
        except Exception as error:
            raise SettingsError(
                f"No request to {self._url} is possible ({type(error).__name__}): check the host name in --api-url, and the proxy variables of the environment."
            ) from None

    def _what_failed(self, error: Exception) -> str:
        if isinstance(error, httpx.TimeoutException) and time.monotonic() >= self._deadline:
            return _BUDGET_SPENT
        reason = without_secrets(str(error).replace(self._key, "…") or type(error).__name__).rstrip(".")
        if isinstance(error, httpx.DecodingError | zlib.error):
            return (
                f"The response of {self._url} cannot be decompressed: {reason}. Check the proxies on the way."
            )
        if isinstance(error, _ONCE_CONNECTED):
            return f"The connection to {self._url} was lost: {reason}. Check the network, or try again later."
        if network.is_proxied(self._url):
            return f"{self._url} cannot be reached through the proxy that the environment names: {reason}. Check HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, and NO_PROXY."
        return f"{self._url} cannot be reached: {reason}. Check the address and the network."

    def _timeouts(self) -> httpx.Timeout:
        seconds = max(0.01, min(SECONDS_PER_REQUEST, self._deadline - time.monotonic()))
        return httpx.Timeout(min(10.0, seconds), connect=min(5.0, seconds), read=seconds)

    def _read(self, response: httpx.Response) -> bytes:
        """The body after decompression, within the limits of size and time."""
        if "," in response.headers.get("Content-Encoding", ""):
            # Compressed twice, a few kilobytes can fill the memory in one step.
            raise UnbelievableAnswer(
                "The response is compressed more than once, and is refused for safety: check --api-url and the proxies on the way."
            )
        chunks, size, until = [], 0, time.monotonic() + SECONDS_PER_REQUEST
        # As they arrive: with chunks of a fixed size, a slow response would escape the limits below.
        for chunk in unpacked(response):
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                lower = ": lower --page-size" if "page_size" in response.request.url.params else ""
                raise UnbelievableAnswer(
                    f"The response is larger than {BODY_LIMIT >> 20} MiB, the most that is read{lower}."
                )
            if time.monotonic() > self._deadline:
                raise ApiUnavailable(_BUDGET_SPENT)
            if time.monotonic() > until or self._closing.is_set():
                raise ApiUnavailable(
                    f"The response did not arrive within {SECONDS_PER_REQUEST:.0f} s: check the network, or lower --page-size."
                )
        return b"".join(chunks).removeprefix(codecs.BOM_UTF8)

    def _interpret(self, response: httpx.Response, body: bytes, decode: Callable[[bytes], T]) -> T | None:
        if response.status_code == 200:
            return self._decoded(body, decode)
        detail = words_of(body, self._key)
        if response.status_code == 404 and detail:
            return None
        raise refusal(
            response, detail, is_token=self._is_token, key_from=self._key_from, clock_ahead=self.clock_ahead
        )

    def _decoded(self, body: bytes, decode: Callable[[bytes], T]) -> T:
        """An API may echo the key, which is neither stored nor printed; a short one may stand in any text by chance."""
        without = body.replace(self._key.encode(), "…".encode())
        if len(self._key) >= LONG_KEY:
            return decode(without)
        try:
            return decode(body)
        except CekuraSyncError:
            decode(without)  # raises the same error, without the key in its words
            raise

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = _error(state)
        wait: float = backoff * 2 ** min(state.attempt_number - 1, 16)
        if isinstance(error, RateLimited):
            wait = max(min(wait, SECONDS_PER_REQUEST), error.retry_after or 0.0)
            if time.monotonic() + wait < self._deadline:
                self._throttle.pause(wait)
        return wait

    def _give_up(self, patience: Patience, state: tenacity.RetryCallState) -> bool:
        wait = state.upcoming_sleep
        if self._closing.is_set() or time.monotonic() + wait > self._deadline:
            return True
        if self.requests >= self.max_requests:
            return True
        if isinstance(_error(state), RateLimited):
            return False
        return patience.failures >= ATTEMPTS or patience.seconds + wait > SECONDS_PER_REQUEST

    def _sleep(self, seconds: float) -> None:
        if seconds > 0 and self._closing.wait(min(seconds, max(0.0, self._deadline - time.monotonic()))):
            raise ApiUnavailable("The sync is stopping.")

    def _count_retry(self, patience: Patience, state: tenacity.RetryCallState) -> None:
        if not isinstance(_error(state), RateLimited):
            patience.seconds += state.upcoming_sleep
        with self._count_lock:
            self.retries += 1


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, ApiUnavailable | UnreadableAnswer)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
