"""What only a socket can do wrong: an answer that never stalls and never comes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from cekura_sync.api import client
from cekura_sync.sandbox import Answer, Request
from support.harness import Account, NewAccount


@contextmanager
def dripping_headers() -> Iterator[str]:
    """A server that sends one byte of a header every now and then, without end."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the client hangs up
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.05):
                connection.sendall(b"z")

    def accept(listener: socket.socket) -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)


def test_headers_that_drip_for_ever_end_with_the_budget_of_the_sync(account: Account) -> None:
    with dripping_headers() as url:
        ran = account.sync("--api-url", url, "--timeout", "1s")

    assert ran.code == 4
    assert "The time for the sync (--timeout) is used up" in ran.json["error"]


@pytest.mark.parametrize("after", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_limit_that_asks_for_no_wait_is_no_reason_to_hammer(
    account: Account, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(client, "backoff", 0.02)
    account.sandbox.intercept = lambda _request: Answer(429, b"{}", {"Retry-After": after})

    ran = account.sync("--timeout", "1s")

    assert ran.code == 4
    assert len(account.sandbox.requests) < 12


def test_a_wait_beyond_the_budget_asked_of_one_request_fails_at_once(account: Account) -> None:
    def limit_the_second_page(request: Request) -> Answer | None:
        return None if request.query["page"] == "1" else Answer(429, b"{}", {"Retry-After": "86400"})

    account.sandbox.intercept = limit_the_second_page

    ran = account.sync("--page-size", "20", "--timeout", "1h")

    assert ran.code == 4


@pytest.mark.parametrize(
    "setting",
    [{"ALL_PROXY": "ftp://proxy"}, {"SSL_CERT_FILE": "/nowhere/ca.pem"}],
    ids=["proxy", "certificates"],
)
def test_a_proxy_or_certificate_that_cannot_be_used_is_a_matter_of_settings(
    account: Account, setting: dict[str, str]
) -> None:
    ran = account.sync("--api-url", "https://cekura.invalid", **setting)

    assert ran.code == 2
    assert "environment" in ran.json["error"]


class RateLimit:
    """So many requests in a quarter of a second, whoever sends them; more are refused."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.accepted: list[float] = []
        self.refused = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer | None:
        with self._lock:
            self.accepted = [at for at in self.accepted if request.at - at < 0.25]
            if len(self.accepted) < self.most:
                self.accepted.append(request.at)
                return None
            self.refused += 1
            return Answer(429, b"{}", {"Retry-After": "0"})


def test_a_rate_limit_costs_few_requests_in_vain(
    new_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "backoff", 0.0625)
    account = new_account(results=160, runs_per_result=1, in_flight=0)
    limit = RateLimit(10)
    account.sandbox.intercept = limit

    ran = account.sync("--page-size", "8")

    assert ran.code == 0, ran.err
    account.assert_equals_api()
    assert limit.refused < ran.json["requests"] / 2


def test_a_pause_that_the_api_asked_for_leaves_a_request_its_other_tries(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SECONDS_PER_REQUEST", 0.5)
    troubles = iter([Answer(429, b"{}", {"Retry-After": "1"}), Answer(503)])
    account.sandbox.intercept = lambda request: next(troubles, None) if request.query["page"] == "2" else None

    ran = account.sync("--page-size", "50")

    assert ran.code == 0, ran.err
    assert ran.json["retries"] == 2
    account.assert_equals_api()
