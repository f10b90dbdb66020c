"""What only a socket can do wrong: an answer that never stalls and never comes."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness import Account


@contextmanager
def dripping_headers(seconds: float) -> Iterator[str]:
    """A server that sends one byte of a header every now and then, for at most so long."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            until = time.monotonic() + seconds
            while time.monotonic() < until and not over.wait(0.05):
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
    with dripping_headers(seconds=20) as url:
        began = time.monotonic()
        ran = account.sync("--api-url", url, "--timeout", "1s")

    assert ran.code == 4
    assert "budget" in ran.json["error"]
    assert time.monotonic() - began < 10
