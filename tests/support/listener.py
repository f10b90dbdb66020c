"""A webhook on loopback that remembers what it was sent."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    address: str = ""  # host and port
    status: int = 200
    hangs: threading.Event | None = None  # answers wait for it
    then: Callable[[], object] = lambda: None  # what happens when it has heard something
    heard: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def slack(self) -> str:
        return f"http://{self.address}/services/T0SECRET/B0SECRET/verysecret"

    @property
    def plain(self) -> str:
        return f"http://{self.address}/verysecret?key=alsosecret"


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serves on loopback without logging requests, and yields host and port. Its end does not wait for answers that hang."""

    class Quiet(handler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listener.paths.append(self.path)
            listener.heard.append(json.loads(body))
            listener.then()
            if listener.hangs is not None:
                listener.hangs.wait()
            self.send_response(listener.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    with serving(Handler) as listener.address:
        yield listener
