"""The sandbox: a world served over HTTP, every request recorded, every hook and fault in its place."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any

from cekura_sync.sandbox.faults import Answer, Fault, Request
from cekura_sync.sandbox.service import Options, Rewrite, Service
from cekura_sync.sandbox.transport import HOST, Handler, Server
from cekura_sync.sandbox.world import World

AFTER_LIMIT = 10.0  # seconds that other requests wait for an `after` hook; it may itself be a client


class Sandbox:
    """A context manager. `options` are those of `Options`; hooks may be set and unset at any time."""

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        latency: float = 0.0,
        faults: Iterable[Fault] = (),
        **options: Any,
    ) -> None:
        self.world = world
        self.options = Options(**options)
        self.key = self.options.key
        self.latency = latency
        self.faults: list[Fault] = list(faults)
        self.intercept: Callable[[Request], Answer | None] | None = None
        self.rewrite: Rewrite | None = None
        self.after: Callable[[Request], None] | None = None
        self.date: Callable[[], datetime] = lambda: datetime.now(UTC)  # for the header of that name
        self.url = ""
        self._port = port
        self._service = Service(world, self.options)
        self._server: Server | None = None
        self._requests: list[Request] = []
        self._chance = random.Random(0)
        self._changing = threading.Condition()
        self._pending = 0  # `after` hooks that have not returned

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failures = self.stop()
        if failures and error is None:
            raise failures[0]

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, in order; a copy."""
        with self._changing:
            return list(self._requests)

    def reset_requests(self) -> None:
        """Forget what was asked; the next request has index 1."""
        with self._changing:
            self._requests.clear()

    def change(self, **options: Any) -> None:
        """From the next request on the API behaves differently: what vendors do without a word."""
        self.options = replace(self.options, **options)
        self._service = Service(self.world, self.options)

    def warm(self) -> None:
        """Render every row now, so that a benchmark measures its client and not the sandbox."""
        self._service.warm()

    def start(self) -> None:
        self._server = Server(self._port, self._exchange)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> list[BaseException]:
        """Close every connection; what went wrong inside (a failing hook, say) comes back."""
        server, self._server = self._server, None
        if server is None:
            return []
        server.stop()
        return server.failures

    def _exchange(self, request: Request, handler: Handler) -> None:
        with self._changing:
            self._changing.wait_for(lambda: not self._pending, AFTER_LIMIT)
            request = replace(request, index=len(self._requests) + 1)
            self._requests.append(request)
        try:
            answer = self._answer(request)
        except BaseException:
            handler.close_connection = True
            handler.send(Answer(500, b"The sandbox failed."))
            raise
        handler.server.stopping.wait(answer.delay + self.latency)
        after = self.after
        if after is None:
            handler.send(answer)
            return
        with self._held():
            # Call the hook even if the client is gone.
            with contextlib.suppress(ConnectionError):
                handler.send(answer)
            after(request)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Until the hook has returned no request is answered: it stands between two requests for certain."""
        with self._changing:
            self._pending += 1
        try:
            yield
        finally:
            with self._changing:
                self._pending -= 1
                self._changing.notify_all()

    def _answer(self, request: Request) -> Answer:
        intercepted = self.intercept(request) if self.intercept is not None else None
        if intercepted is not None:
            return intercepted
        with self._changing:
            struck = [fault for fault in self.faults if fault.strikes(request, self._chance)]
        answer = self._service.answer(request, self.rewrite)
        date = format_datetime(self.date(), usegmt=True)
        answer = replace(answer, headers={"Date": date, **answer.headers})
        return struck[0].spoil(request, answer) if struck else answer


def serve(world: World, *, ready: Callable[[Sandbox], None] | None = None, **options: Any) -> None:
    """Serve until interrupted; `ready` is called once it listens."""
    with Sandbox(world, **options) as sandbox, contextlib.suppress(KeyboardInterrupt):
        if ready is not None:
            ready(sandbox)
        threading.Event().wait()
