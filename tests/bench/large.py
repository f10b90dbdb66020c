"""An account of any size, served by a small process: rows are rendered when a page is asked for, so nothing is kept.

    python large.py RESULTS RUNS [PAUSE]     prints its address; PAUSE: seconds before each answer

`POST /more/N` lists N new results, and answers with the number of requests since the last call. `POST /limit/N` has the
key refused after N more requests; 0: never.
"""

import json
import socketserver
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from urllib.parse import parse_qsl, urlsplit

AGENTS = 40
SCENARIOS = 12
PATH = "/test_framework/v1/results/"
STEP = timedelta(days=90) / 20_000  # between two results
AGE = timedelta(days=1000)  # of the oldest result at most


class Account:
    """Results by number, the oldest first."""

    def __init__(self, results: int, runs: int) -> None:
        self.results = results
        self.runs = runs
        self.requests = 0
        self.limit = 0
        self._step = min(STEP, AGE / results)
        self._begin = datetime.now(UTC) - results * self._step - timedelta(hours=1)

    def page(self, number: int, size: int) -> bytes:
        newest = self.results - (number - 1) * size
        rows = b",".join(self._row(place) for place in range(newest - 1, max(newest - size, 0) - 1, -1))
        following = b'"?page=%d"' % (number + 1) if newest > size else b"null"
        return b'{"count":%d,"next":%s,"results":[%s]}' % (self.results, following, rows)

    def _row(self, place: int) -> bytes:
        agent = place * 7919 % AGENTS
        won = sum(_passes(place, run) for run in range(self.runs))
        created = self._begin + place * self._step
        return _row_template(self.runs, agent) % (
            100_000 + place,
            won / self.runs,
            *chain.from_iterable(_run(place, run, self.runs) for run in range(self.runs)),
            won,
            won,
            self.runs - won,
            created.isoformat().encode(),
            (created + timedelta(minutes=5)).isoformat().encode(),
        )


def _run(place: int, run: int, runs: int) -> tuple[int, bytes, int]:
    return (
        10_000_000 + place * runs + run,
        b"true" if _passes(place, run) else b"false",
        (place + run) % 60,
    )


def _passes(place: int, run: int) -> bool:
    return (place * 31 + run * 17) % 10 < 7


@cache
def _row_template(runs: int, agent: int) -> bytes:
    names = [f"Caller asks for thing {number} of agent {agent}" for number in range(SCENARIOS)]
    listed = [(agent * SCENARIOS + run % SCENARIOS, names[run % SCENARIOS]) for run in range(runs)]
    run_texts = [
        f'{{"id":%d,"status":"completed","scenario":{scenario},"scenario_name":"{name}",'
        '"test_profile_data":{"customer_name":"Ana Lopez","account_number":"AC-198290","language":"en"},'
        '"success":%b,"duration":"03:%02d"}'
        for scenario, name in listed
    ]
    scenarios = ",".join(f'{{"id":{id_},"name":"{name}"}}' for id_, name in dict(listed).items())
    return (
        f'{{"id":%d,"name":"Nightly regression","agent":{agent + 1},"agent_name":"Agent {agent + 1}",'
        '"agent_inbound":false,"status":"completed","success_rate":%r,"run_as_text":false,"is_cronjob":true,'
        f'"runs":[{",".join(run_texts)}],"met_expected_outcome_count":%d,'
        f'"total_expected_outcome_count":{runs},"total_runs_count":{runs},"completed_runs_count":{runs},'
        f'"success_runs_count":%d,"failed_runs_count":%d,"scenarios":[{scenarios}],"run_type":null,'
        '"created_at":"%b","updated_at":"%b"}'
    ).encode()


class Handler(socketserver.StreamRequestHandler):
    account: Account
    pause: float
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            method, target, _ = line.decode().split(" ", 2)
            while self.rfile.readline().strip():
                pass
            body = self.answer(method, urlsplit(target).path, dict(parse_qsl(urlsplit(target).query)))
            status = "200 OK" if body else "404 Not Found"
            if self.account.limit and self.account.requests > self.account.limit:
                status, body = "401 Unauthorized", None
            body = body or b'{"detail":"Not here."}'
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + body)

    def answer(self, method: str, path: str, query: dict[str, str]) -> bytes | None:
        account = self.account
        if method == "POST":
            what, number = path.strip("/").split("/")
            if what == "limit":
                account.limit = int(number)
            else:
                account.results += int(number)
            requests, account.requests = account.requests, 0
            return json.dumps(requests).encode()
        time.sleep(self.pause)
        account.requests += 1
        number, size = int(query.get("page", 1)), min(int(query.get("page_size", 200)), 200)
        return account.page(number, size) if path == PATH else None


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


class Large:
    """The same in a process of its own, with what `Bench` asks of a sandbox."""

    key = "key"

    def __init__(self, results: int, runs: int, pause: float = 0.0) -> None:
        self._command = [sys.executable, __file__, str(results), str(runs), str(pause)]

    def __enter__(self) -> "Large":
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def requests(self) -> range:
        """As many as there were since the last call of any method."""
        return range(self._post("more", 0))

    def reset_requests(self) -> None:
        self._post("more", 0)

    def more(self, results: int) -> None:
        """List so many new results."""
        self._post("more", results)

    def limit(self, requests: int) -> None:
        """Refuse the key after so many requests; 0: never."""
        self._post("limit", requests)

    def _post(self, what: str, number: int) -> int:
        request = urllib.request.Request(f"{self.url}/{what}/{number}", method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            return int(json.load(answer))


def main(results: int, runs: int, pause: float = 0.0, ready: Callable[[str], None] = print) -> None:
    Handler.account, Handler.pause = Account(results, runs), pause
    with Server(("127.0.0.1", 0), Handler) as server:
        ready(f"http://127.0.0.1:{server.server_address[1]}")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:]))
