"""Two witnesses that we did not write: the vendor's own client, and the vendor's own document.

A stand-in made by the people who wrote the client under test believes what they believe. These do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cekura
import pytest
import schemathesis
from cekura.cli._output import fetch_all_pages
from hypothesis import given, settings
from schemathesis.checks import CHECKS, load_all_checks

from cekura_sync.sandbox import Request, Sandbox, World, parse_fault
from support.harness import PATIENCE

DOCUMENT = Path(__file__).parents[1] / "support" / "data" / "results-openapi.yaml"
LIST = schemathesis.openapi.from_path(DOCUMENT)["/test_framework/v1/results/"]["GET"]
load_all_checks()
CONFORMS = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "content_type_conformance",
        "response_schema_conformance",
        "positive_data_acceptance",
        "ignored_auth",
    ]
)


@pytest.fixture
def world() -> World:
    return World(results=70, agents=3, runs_per_result=4)


@pytest.fixture
def vendor(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[cekura.Cekura]:
    monkeypatch.setattr("cekura._http.RETRY_BACKOFF", 0)
    with cekura.Cekura(api_key=sandbox.key, base_url=sandbox.url) as client:
        yield client


def test_the_vendors_client_lists_every_result(vendor: cekura.Cekura, world: World) -> None:
    rows = fetch_all_pages(vendor, "results.list", page_size=30)
    assert {row["id"]: row for row in rows} == dict(world.results)
    assert len(rows) == len(world.results)


def test_the_vendors_client_filters(vendor: cekura.Cekura, world: World) -> None:
    agent = world.agents[1].id
    rows = fetch_all_pages(vendor, "results.list", agent_id=agent)
    assert {row["id"] for row in rows} == {
        row["id"] for row in world.results.values() if row["agent"] == agent
    }


def test_the_vendors_client_gets_a_result(vendor: cekura.Cekura, world: World) -> None:
    result_id, row = next(iter(world.results.items()))
    result = vendor.results.get(result_id)
    assert result["name"] == row["name"]
    assert set(result["runs"]) == {str(run["id"]) for run in row["runs"]}


def test_the_vendors_client_waits_until_a_result_is_completed(
    vendor: cekura.Cekura, sandbox: Sandbox, world: World
) -> None:
    (result_id,) = world.start()

    def finish_at_the_third_look(request: Request) -> None:
        if request.index == 6:  # each look is a redirect to the slash and an answer
            world.finish([result_id])

    sandbox.after = finish_at_the_third_look
    result = vendor.results.wait(result_id, poll_interval=0.01, timeout=PATIENCE)
    assert result["status"] == "completed"
    assert len(sandbox.requests) == 8


def test_the_vendors_client_understands_every_refusal(
    vendor: cekura.Cekura, sandbox: Sandbox, world: World
) -> None:
    gone = world.delete(max(world.results))
    with pytest.raises(cekura.NotFoundError):
        vendor.results.get(gone)
    with pytest.raises(cekura.NotFoundError, match="Invalid page"):
        vendor.results.list(page=99)
    sandbox.faults = [parse_fault("429")]
    with pytest.raises(cekura.RateLimitError) as caught:
        vendor.results.list()
    assert caught.value.retry_after == "1"
    sandbox.faults = [parse_fault("503")]
    with pytest.raises(cekura.ServerError):
        vendor.results.list()
    sandbox.faults = [parse_fault("401")]
    with pytest.raises(cekura.AuthenticationError):
        vendor.results.list()


def test_the_vendors_client_survives_one_server_error(vendor: cekura.Cekura, sandbox: Sandbox) -> None:
    sandbox.faults = [parse_fault("500@1")]
    assert len(vendor.results.list()["results"]) == 20


@pytest.fixture(scope="module")
def literal() -> Iterator[Sandbox]:
    """The shape that the document describes, which is not quite the one that real payloads have."""
    with Sandbox(World(results=70, agents=3, runs_per_result=4), shape="literal") as sandbox:
        yield sandbox


def look(sandbox: Sandbox, **query: str) -> None:
    headers = {"X-CEKURA-API-KEY": sandbox.key}
    LIST.Case(query=query).call_and_validate(base_url=sandbox.url, headers=headers)


def test_every_page_is_as_documented(literal: Sandbox) -> None:
    for page in range(1, 5):
        look(literal, page=str(page), page_size="20")
    look(literal, agent_id="4101", project_id="301", search="e", scenarios="11500,11501")


def test_the_document_would_notice_another_shape(world: World) -> None:
    with Sandbox(world) as observed, pytest.raises(schemathesis.core.failures.FailureGroup, match="schema"):
        look(observed)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_no_parameters_lead_to_an_undocumented_answer(
    literal: Sandbox, mode: schemathesis.GenerationMode
) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(case=LIST.as_strategy(generation_mode=mode))
    def hold(case: schemathesis.Case) -> None:
        headers = {"X-CEKURA-API-KEY": literal.key}
        case.call_and_validate(base_url=literal.url, headers=headers, checks=CONFORMS)

    hold()
