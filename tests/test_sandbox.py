"""The stand-in API over HTTP: pages, filters, orders and shapes as the real service has them."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cekura_sync.sandbox import Sandbox, World

PATH = "/test_framework/v1/results/"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CLIENT = httpx.Client()  # one for all: making it takes longer than most tests
Json = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def _closed_in_the_end() -> Iterator[None]:
    yield
    CLIENT.close()


@pytest.fixture
def world() -> World:
    return World(results=90, agents=4, runs_per_result=4, now=NOW)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as sandbox:
        yield sandbox


def ask(sandbox: Sandbox, path: str = PATH, **query: object) -> httpx.Response:
    headers = {"X-CEKURA-API-KEY": sandbox.key}
    return CLIENT.get(sandbox.url + path, params={k: str(v) for k, v in query.items()}, headers=headers)


def read(sandbox: Sandbox, **query: object) -> list[Json]:
    """Every row, by page number until there is no next."""
    rows: list[Json] = []
    for number in itertools.count(1):
        page = ask(sandbox, page=number, **query).json()
        rows += page["results"]
        if page["next"] is None:
            return rows
    raise AssertionError("unreachable")


def ids(rows: list[Json]) -> list[int]:
    return [row["id"] for row in rows]


def problem(response: httpx.Response) -> tuple[int, object]:
    return response.status_code, response.json()


def test_the_list_shows_the_truth_newest_first(world: World, sandbox: Sandbox) -> None:
    rows = read(sandbox, page_size=40)
    assert {row["id"]: row for row in rows} == dict(world.results)
    assert rows == sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)


def test_v2_shows_the_same_list(sandbox: Sandbox) -> None:
    first, second = ask(sandbox).json(), ask(sandbox, PATH.replace("v1", "v2")).json()
    assert first["results"] == second["results"]
    assert "/v2/" in second["next"]


def test_next_and_previous_are_absolute_and_keep_every_other_parameter(sandbox: Sandbox) -> None:
    page = ask(sandbox, page=2, page_size=10, search="e", unknown="kept").json()
    query = "page_size=10&search=e&unknown=kept"
    assert page["next"] == f"{sandbox.url}{PATH}?page=3&{query}"
    assert page["previous"] == f"{sandbox.url}{PATH}?{query}"
    assert ask(sandbox).json()["previous"] is None


@pytest.mark.parametrize(
    ("asked", "size"),
    [("7", 7), ("200", 90), ("100000", 90), ("0", 20), ("-3", 20), ("ten", 20), ("", 20)],
)
def test_a_page_size_that_is_no_size_means_the_default(sandbox: Sandbox, asked: str, size: int) -> None:
    assert len(ask(sandbox, page_size=asked).json()["results"]) == size


def test_a_larger_page_size_is_lowered_without_a_word(world: World) -> None:
    with Sandbox(world, page_size_cap=25) as sandbox:
        page = ask(sandbox, page_size=200)
        assert page.status_code == 200
        assert len(page.json()["results"]) == 25


def test_a_page_size_may_be_ignored(world: World) -> None:
    with Sandbox(world, ignore_page_size=True, default_page_size=13) as sandbox:
        assert len(ask(sandbox, page_size=5).json()["results"]) == 13
        assert len(read(sandbox, page_size=200)) == 90


@pytest.mark.parametrize("page", ["0", "-1", "6", "99999999", "two", "1.0"])
def test_a_page_that_does_not_exist_is_404(sandbox: Sandbox, page: str) -> None:
    assert problem(ask(sandbox, page=page)) == (404, {"detail": "Invalid page."})


def test_an_empty_list_has_a_first_page_and_no_second() -> None:
    with Sandbox(World(results=0)) as sandbox:
        assert ask(sandbox).json() == {"count": 0, "next": None, "previous": None, "results": []}
        assert ask(sandbox, page=2).status_code == 404


def test_without_the_key_nothing_is_shown(sandbox: Sandbox) -> None:
    missing = CLIENT.get(sandbox.url + PATH)
    wrong = CLIENT.get(sandbox.url + PATH, headers={"X-CEKURA-API-KEY": "guess"})
    assert problem(missing) == (401, {"detail": "Authentication credentials were not provided."})
    assert problem(wrong) == (403, {"detail": "Invalid API key."})


def test_a_missing_slash_redirects_and_keeps_the_query(sandbox: Sandbox) -> None:
    response = ask(sandbox, PATH.rstrip("/"), page=2, search="é")
    assert response.status_code == 301
    assert response.headers["Location"] == f"{PATH}?page=2&search=%C3%A9"


def test_unknown_paths_and_other_methods_are_refused_in_json(sandbox: Sandbox) -> None:
    assert problem(ask(sandbox, "/test_framework/v3/results/")) == (404, {"detail": "Not found."})
    headers = {"X-CEKURA-API-KEY": sandbox.key}
    with httpx.Client(headers=headers) as client:
        posted = client.post(sandbox.url + PATH, json={"name": "x"})
        assert problem(posted) == (405, {"detail": 'Method "POST" not allowed.'})
        assert posted.headers["Allow"] == "GET, HEAD"
        # The posted body was read: the same connection goes on.
        assert client.get(sandbox.url + PATH).status_code == 200


def test_filters_by_agent_project_and_name_combine(world: World, sandbox: Sandbox) -> None:
    agent, name = world.agents[1], "Nightly regression"
    expected = {
        result_id
        for result_id, row in world.results.items()
        if row["agent"] == agent.id and row["name"] == name
    }
    found = read(sandbox, agent_id=agent.id, project_id=agent.project, search="NIGHT")
    assert expected
    assert set(ids(found)) == expected
    assert read(sandbox, agent_id=agent.id, project_id=agent.project + 1) == []


def test_each_project_is_part_of_the_whole(world: World, sandbox: Sandbox) -> None:
    projects = {agent.project for agent in world.agents}
    parts = [set(ids(read(sandbox, project_id=project))) for project in projects]
    assert set.union(*parts) == set(world.results)
    assert sum(map(len, parts)) == len(world.results)


def test_a_filter_of_the_wrong_type_is_400(sandbox: Sandbox) -> None:
    assert problem(ask(sandbox, agent_id="me")) == (400, {"agent_id": ["Enter a number."]})


def test_the_scenario_filter_repeats_a_result_per_matching_run(world: World, sandbox: Sandbox) -> None:
    first, second = (scenario.id for scenario in world.agents[0].scenarios[:2])
    runs = {
        result_id: sum(run["scenario"] in (first, second) for run in row["runs"])
        for result_id, row in world.results.items()
    }
    found = ids(read(sandbox, scenarios=f"{first},{second}"))
    assert {result_id: found.count(result_id) for result_id in found} == {k: v for k, v in runs.items() if v}
    assert len(found) > len(set(found))
    with Sandbox(world, twins=False) as tidy:
        assert sorted(ids(read(tidy, scenarios=f"{first},{second}"))) == sorted(set(found))


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("created_asc", lambda row: row["created_at"]),
        ("updated_desc", lambda row: -datetime.fromisoformat(row["updated_at"]).timestamp()),
        ("created_desc_ties", lambda row: -(datetime.fromisoformat(row["created_at"]).timestamp() // 3600)),
    ],
)
def test_the_list_can_come_in_another_order(world: World, order: str, key: Any) -> None:
    world.insert(8, created_at=NOW)
    with Sandbox(world, order=order) as sandbox:
        keys = [key(row) for row in read(sandbox)]
    assert keys == sorted(keys)


def test_equal_keys_come_in_no_order_but_the_same_each_time(world: World) -> None:
    tied = world.insert(8, created_at=NOW)
    with Sandbox(world, order="created_desc_ties") as sandbox:
        first = [result_id for result_id in ids(read(sandbox)) if result_id in tied]
        assert first == [result_id for result_id in ids(read(sandbox)) if result_id in tied]
    assert first not in (tied, tied[::-1])


def test_a_shuffled_list_keeps_its_order_or_does_not(world: World) -> None:
    with Sandbox(world, order="shuffled_stable") as stable:
        order = ids(read(stable))
        assert order == ids(read(stable))
    with Sandbox(world, order="shuffled_each_time") as unstable:
        one, other = ids(read(unstable, page_size=200)), ids(read(unstable, page_size=200))
    assert one != other
    assert sorted(order) == sorted(one) == sorted(other) == list(world.results)


@pytest.mark.parametrize(("count", "shown"), [("right", 90), ("zero", 0), ("wrong", 45), ("missing", None)])
def test_the_count_can_lie(world: World, count: str, shown: int | None) -> None:
    with Sandbox(world, count=count) as sandbox:
        page = ask(sandbox).json()
        assert page.get("count") == shown
        assert len(page["results"]) == 20


def test_an_option_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(ValueError, match="Unknown order 'best_first': choose created_desc, "):
        Sandbox(world, order="best_first")


def test_percent_is_the_same_rate_times_a_hundred(world: World) -> None:
    result_id = world.insert()[0]
    world.touchless_edit(result_id, success_rate=2 / 3)
    with Sandbox(world, scale="percent") as sandbox:
        assert read(sandbox)[0]["success_rate"] == 66.67
        assert ask(sandbox, f"{PATH}{result_id}/").json()["success_rate"] == 66.67


def by_id(sandbox: Sandbox, result_id: int) -> Json:
    found: Json = ask(sandbox, f"{PATH}{result_id}/").json()
    return found


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


def test_a_list_follows_every_change_at_once(world: World, sandbox: Sandbox) -> None:
    sandbox.warm()
    first = read(sandbox)[0]
    world.touchless_edit(first["id"], name="Renamed")
    assert read(sandbox)[0] == {**first, "name": "Renamed"}
    assert ids(read(sandbox, search="renamed")) == [first["id"]]
    world.delete(first["id"])
    assert first["id"] not in ids(read(sandbox))
    assert read(sandbox, search="renamed") == []


def test_the_world_may_change_while_many_read_it(world: World, sandbox: Sandbox) -> None:
    seen: list[int] = []
    readers = [threading.Thread(target=lambda: seen.append(len(read(sandbox)))) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(100):
        world.finish(world.start())
    for reader in readers:
        reader.join()
    assert len(seen) == 4
    assert min(seen) >= 90
