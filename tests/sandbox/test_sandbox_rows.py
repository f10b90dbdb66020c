"""The stand-in API's rows: by id, in both shapes and scales, packed, raw and hostile."""

from __future__ import annotations

import gzip
import http.client
import json
from datetime import UTC, datetime

import pytest

from cekura_sync.sandbox import Sandbox, World
from support.sandbox_reader import PATH, ask, by_id, problem, read

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def test_by_id_a_result_has_every_list_field_and_full_runs(world: World, sandbox: Sandbox) -> None:
    for result_id, row in list(world.results.items())[50:]:
        found = by_id(sandbox, result_id)
        runs = found.pop("runs")
        assert {name: found[name] for name in row if name != "runs"}.items() <= row.items()
        assert list(runs) == [str(run["id"]) for run in row["runs"]]
        for run in row["runs"]:
            assert run.items() <= runs[str(run["id"])].items()


def test_by_id_the_counts_can_be_made_again_from_the_full_runs(world: World, sandbox: Sandbox) -> None:
    for result_id, row in list(world.results.items())[50:]:
        runs = by_id(sandbox, result_id)["runs"].values()
        outcomes = [run["expected_outcome"] for run in runs if run["status"] == "completed"]
        scores = [outcome["score"] for outcome in outcomes if outcome is not None]
        assert len(scores) == row["total_expected_outcome_count"]
        assert scores.count(100) == row["met_expected_outcome_count"]


def test_by_id_a_finished_run_can_be_read_in_full(world: World, sandbox: Sandbox) -> None:
    found = by_id(sandbox, world.insert()[0])
    run = next(iter(found["runs"].values()))
    assert {metric["type"] for metric in run["evaluation"]["metrics"]} == {
        "binary",
        "continuous_qualitative",
        "numeric",
        "enum",
    }
    assert {"role", "content", "start_time", "end_time"} == set(run["transcript_object"][0])
    assert found["overall_evaluation"]["metric_summary"]["901"]["name"] == "Task completed"
    assert {"failed_reasons", "total_duration", "latency_data"} <= set(found)
    assert found == by_id(sandbox, found["id"])


def test_by_id_the_rate_may_be_a_percentage_where_the_list_has_a_fraction(world: World) -> None:
    result_id = world.insert(success_rate=0.75)[0]
    with Sandbox(world, scale="percent_by_id") as sandbox:
        assert read(sandbox)[0]["success_rate"] == 0.75
        assert by_id(sandbox, result_id)["success_rate"] == 75


def test_a_hostile_row_does_not_bring_the_sandbox_down(world: World, sandbox: Sandbox) -> None:
    scenario = world.agents[0].scenarios[0].id
    for runs in (None, {"7": {"id": 7}}, "none", ["x", None, {"id": "a", "scenario": []}, {}]):
        result_id = world.insert(runs=runs, scenarios=7, created_at=NOW)[0]
        world.edit(result_id, created_at="soon", updated_at=None, agent="me", success_rate="high")
        assert by_id(sandbox, result_id)["name"] == world.results[result_id]["name"]
    assert {row["id"]: row for row in read(sandbox)} == dict(world.results)
    assert len(read(sandbox, scenarios=scenario)) < len(world.results)
    assert read(sandbox, search="no such", project_id=301) == []


@pytest.mark.parametrize("asked", ["1", "abc", "9" * 30])
def test_by_id_a_result_that_is_not_there_is_404(sandbox: Sandbox, asked: str) -> None:
    response = ask(sandbox, f"{PATH}{asked}/")
    assert problem(response) == (404, {"detail": "No Result matches the given query."})


def test_the_literal_shape_has_the_types_of_the_document(world: World) -> None:
    with Sandbox(world, shape="literal") as sandbox:
        row = read(sandbox, page_size=200)[10]
        found = by_id(sandbox, row["id"])
    truth = world.results[row["id"]]
    assert row["total_runs_count"] == str(truth["total_runs_count"])
    assert row["is_cronjob"] in ("true", "false")
    assert row["runs"] == {str(run["id"]): run for run in truth["runs"]}
    assert row["scenarios"] == {str(scenario["id"]): scenario for scenario in truth["scenarios"]}
    assert found["total_runs_count"] == row["total_runs_count"]
    assert found["scenarios"] == row["scenarios"]


def test_raw_bytes_are_served_as_they_are(world: World, sandbox: Sandbox) -> None:
    newest = max(world.results)
    world.set_raw(newest, b'{"id": 1e400, "name": "\\ud800"')
    body = ask(sandbox, page_size=2).content
    assert b'"results":[{"id": 1e400, "name": "\\ud800",{"id":' in body
    assert ask(sandbox, f"{PATH}{newest}/").content == b'{"id": 1e400, "name": "\\ud800"'
    world.set_raw(newest, None)
    assert by_id(sandbox, newest)["id"] == newest


def test_any_text_survives_the_way(world: World, sandbox: Sandbox) -> None:
    name = 'Zoë \u2028 \x00 \U0001f600 \ud800 "quoted" \\'
    result_id = world.insert(name=name)[0]
    assert json.loads(ask(sandbox).content)["results"][0]["name"] == name
    assert json.loads(ask(sandbox, f"{PATH}{result_id}/").content)["name"] == name


def raw_get(sandbox: Sandbox, target: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"))
    try:
        connection.request("GET", target, headers={"X-CEKURA-API-KEY": sandbox.key, **headers})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_gzip_is_sent_to_whoever_accepts_it(world: World, sandbox: Sandbox) -> None:
    target = PATH + "?page_size=50"
    plain, body = raw_get(sandbox, target)
    packed, small = raw_get(sandbox, target, **{"Accept-Encoding": "gzip"})
    assert plain.getheader("Content-Encoding") is None
    assert packed.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(small) == body
    assert len(small) < len(body) / 2
    with Sandbox(world, gzip=False) as unpacked:
        response, _ = raw_get(unpacked, target, **{"Accept-Encoding": "gzip"})
        assert response.getheader("Content-Encoding") is None
