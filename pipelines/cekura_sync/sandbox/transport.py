"""HTTP/1.1 over loopback sockets: threads, keep-alive, and answers sent as badly as they were ordered."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cekura_sync.sandbox.faults import Answer, Request

HOST = "127.0.0.1"
MAX_BODY = 1 << 20  # of a request; nobody has a reason to send us one


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # a burst of new connections must not be what a test measures
    allow_reuse_address = True

    def __init__(self, port: int, exchange: Callable[[Request, Handler], None]) -> None:
        self.exchange = exchange
        self.stopping = threading.Event()
        self.failures: list[BaseException] = []
        self._connections: dict[socket.socket, threading.Thread] = {}
        super().__init__((HOST, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that hangs up is daily life; anything else is kept for whoever stops the sandbox."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            self.failures.append(error)

    def stop(self) -> None:
        """Prompt: idle connections are closed under their readers, sleepers woken."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection, thread in list(self._connections.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            if thread is not threading.current_thread():
                thread.join(2)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._discard_body()
        url = urlsplit(self.path)
        request = Request(
            index=0,  # the sandbox counts
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            at=time.monotonic(),
            target=self.path,
        )
        self.server.exchange(request, self)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_GET  # noqa: N815

    def send(self, answer: Answer) -> None:
        if self.server.stopping.is_set() or answer.disconnect:
            self.close_connection = True
            return
        body = b"" if self.command == "HEAD" else answer.body
        if answer.truncate is not None:
            self.close_connection = True
            body = body[: answer.truncate]
        head = self._head(answer)
        if answer.drip is None:
            self.wfile.write(head + body)
            return
        self.wfile.write(head)
        for place in range(len(body)):
            if self.server.stopping.wait(answer.drip):
                self.close_connection = True
                return
            self.wfile.write(body[place : place + 1])

    def log_message(self, *_: Any) -> None:
        """Silence: the requests are in `Sandbox.requests`."""

    def _head(self, answer: Answer) -> bytes:
        try:
            reason = HTTPStatus(answer.status).phrase
        except ValueError:
            reason = "Unknown"
        headers = {"Date": self.date_time_string(), "Content-Length": str(len(answer.body)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _discard_body(self) -> None:
        """What is left unread would be taken for the next request."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
        else:
            self.rfile.read(int(length))
