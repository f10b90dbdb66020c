"""Everything that can go wrong on the way: faults to order, hooks, and connections that end badly."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from cekura_sync.sandbox import Answer, Fault, Request, Sandbox, World, parse_fault, serve
from cekura_sync.sandbox.faults import KINDS
from support.harness import PATIENCE
from support.sandbox_reader import PATH, PLAIN


@pytest.fixture(scope="module")
def world() -> World:
    return World(results=30, agents=2, runs_per_result=3)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"X-CEKURA-API-KEY": sandbox.key}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=PATIENCE, verify=PLAIN) as client:
        yield client


def get(sandbox: Sandbox) -> httpx.Response:
    """Without the key, on a connection of its own."""
    with httpx.Client(verify=PLAIN) as client:
        return client.get(sandbox.url + PATH)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429", Fault("429")),
        ("html@3", Fault("html", 3, 3)),
        ("truncate@3-5", Fault("truncate", 3, 5)),
        ("error-object@2+", Fault("error-object", 2)),
        ("500:0.25", Fault("500", probability=0.25)),
    ],
)
def test_a_fault_can_be_written_down(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


def test_an_unknown_fault_names_the_kinds() -> None:
    with pytest.raises(ValueError, match="Unknown fault '418': the kinds are 429, 500, 503, 401, "):
        parse_fault("418@2")
    with pytest.raises(ValueError, match="Cannot read the fault '500@x': write KIND, "):
        parse_fault("500@x")


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("429", 429, "application/json"),
        ("500", 500, "text/html; charset=utf-8"),
        ("503", 503, "text/html; charset=utf-8"),
        ("401", 401, "application/json"),
        ("403", 403, "application/json"),
        ("404", 404, "application/json"),
        ("html", 200, "text/html; charset=utf-8"),
        ("error-object", 200, "application/json"),
        ("garbage", 200, "application/json"),
    ],
)
def test_a_fault_strikes_when_it_should_and_only_then(
    sandbox: Sandbox, client: httpx.Client, kind: str, status: int, content_type: str
) -> None:
    sandbox.faults = [parse_fault(f"{kind}@2-3")]
    answers = [client.get(PATH) for _ in range(4)]
    healthy = ["results" in json.loads(answer.content) for answer in (answers[0], answers[3])]
    assert healthy == [True, True]
    for answer in answers[1:3]:
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == content_type
        assert b'"results"' not in answer.content


def test_429_says_when_to_come_back(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [Fault("429", retry_after=7)]
    assert client.get(PATH).headers["Retry-After"] == "7"


def test_a_redirect_leads_to_another_origin(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [parse_fault("redirect")]
    answer = client.get(PATH, params={"page": 2})
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"https://another-origin.invalid{PATH}?page=2"


def test_garbage_is_no_json(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [parse_fault("garbage")]
    with pytest.raises(ValueError, match="decode"):
        json.loads(client.get(PATH).content)


def test_a_truncated_answer_ends_before_its_length(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [parse_fault("truncate@1")]
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        client.get(PATH)
    assert client.get(PATH).status_code == 200


def test_a_disconnect_says_nothing(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [parse_fault("disconnect@1")]
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        client.get(PATH)
    assert client.get(PATH).status_code == 200


def test_a_slow_answer_is_a_whole_one(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [Fault("slow", delay=0.2)]
    began = time.monotonic()
    assert len(client.get(PATH).json()["results"]) == 20
    assert time.monotonic() - began >= 0.2


def test_a_share_of_requests_can_fail(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults = [parse_fault("503:0.4")]
    failed = [client.get(PATH).status_code for _ in range(100)].count(503)
    assert 20 < failed < 60


def test_every_kind_was_tried_here() -> None:
    tried = {"429", "500", "503", "401", "403", "404", "html", "error-object", "garbage"}
    assert set(KINDS) == tried | {"truncate", "disconnect", "slow", "redirect"}


def test_every_request_is_recorded(sandbox: Sandbox, client: httpx.Client) -> None:
    client.get(PATH, params={"page": 2, "search": "ü"})
    client.post("/elsewhere/")
    first, second = sandbox.requests
    assert (first.index, first.method, first.path) == (1, "GET", PATH)
    assert first.query == {"page": "2", "search": "ü"}
    assert first.headers["x-cekura-api-key"] == sandbox.key
    assert (second.index, second.method, second.path) == (2, "POST", "/elsewhere/")
    assert second.at >= first.at
    sandbox.reset_requests()
    client.get(PATH)
    assert [request.index for request in sandbox.requests] == [1]


def test_an_interceptor_answers_instead_before_the_key_is_checked(sandbox: Sandbox) -> None:
    def teapot(request: Request) -> Answer | None:
        return Answer(418, b"short", {"X-Index": str(request.index)}) if request.index == 1 else None

    sandbox.intercept = teapot
    answer = get(sandbox)
    assert (answer.status_code, answer.content, answer.headers["X-Index"]) == (418, b"short", "1")
    assert get(sandbox).status_code == 401


def test_a_rewrite_changes_the_payload_or_replaces_it(sandbox: Sandbox, client: httpx.Client) -> None:
    def end_early(request: Request, payload: dict[str, object]) -> None:
        payload["next"] = None

    sandbox.rewrite = end_early
    page = client.get(PATH).json()
    assert page["next"] is None
    assert len(page["results"]) == 20
    sandbox.rewrite = lambda _, payload: {"name": payload["name"]}
    newest = max(sandbox.world.results)
    assert client.get(f"{PATH}{newest}/").json() == {"name": sandbox.world.results[newest]["name"]}
    sandbox.rewrite = lambda *_: b"[]"
    assert client.get(PATH).content == b"[]"


def test_what_happens_after_an_answer_is_over_before_the_next(sandbox: Sandbox) -> None:
    """On other connections too: a change "between two pages" is never a matter of luck."""
    done: list[int] = []

    def change(request: Request) -> None:
        time.sleep(0.1)
        done.append(request.index)

    def count(request: Request) -> Answer:
        return Answer(200, str(len(done)).encode())

    sandbox.after, sandbox.intercept = change, count
    assert [get(sandbox).text for _ in range(3)] == ["0", "1", "2"]


def test_a_failing_hook_is_not_swallowed(world: World) -> None:
    def fail(request: Request) -> Answer | None:
        raise AssertionError("not this one")

    with pytest.raises(AssertionError, match="not this one"), Sandbox(world) as sandbox:  # noqa: PT012
        sandbox.intercept = fail
        assert get(sandbox).status_code == 500


def test_a_dripping_answer_never_ends_but_the_sandbox_does(world: World) -> None:
    with Sandbox(world) as sandbox:
        sandbox.intercept = lambda _: Answer(200, b"x" * 100_000, drip=0.02)
        with httpx.stream("GET", sandbox.url, timeout=PATIENCE, verify=PLAIN) as answer:
            stream = answer.iter_raw()
            assert {*b"".join(next(stream) for _ in range(3))} == {*b"x"}
            began = time.monotonic()
            sandbox.stop()
    assert time.monotonic() - began < PATIENCE


def test_latency_is_added_to_every_answer(world: World) -> None:
    with Sandbox(world, latency=0.1) as sandbox:
        began = time.monotonic()
        get(sandbox)
        assert time.monotonic() - began >= 0.1


def test_a_connection_is_kept_and_idle_ones_do_not_delay_the_end(world: World) -> None:
    with Sandbox(world) as sandbox:
        connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"))
        ports = set()
        for _ in range(3):
            connection.request("GET", PATH)
            connection.getresponse().read()
            assert connection.sock is not None
            ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1
    connection.close()


def test_serving_goes_on_until_it_is_interrupted(world: World) -> None:
    urls = []

    def look_and_interrupt(sandbox: Sandbox) -> None:
        urls.append(sandbox.url)
        assert get(sandbox).status_code == 401
        raise KeyboardInterrupt

    serve(world, ready=look_and_interrupt, order="created_asc")
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0], verify=PLAIN)


def test_nothing_is_left_running(world: World) -> None:
    before = threading.active_count()
    with Sandbox(world) as sandbox, httpx.Client(verify=PLAIN) as client:
        client.get(sandbox.url + PATH)
    until = time.monotonic() + PATIENCE
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.02)
    assert threading.active_count() <= before
    with pytest.raises(httpx.ConnectError):
        get(sandbox)
