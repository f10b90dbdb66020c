"""The stand-in API's list over HTTP: pages, filters and orders as the real service has them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cekura_sync.sandbox import Sandbox, World
from support.sandbox_reader import PATH, PLAIN, ask, ids, problem, read

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


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
    missing = httpx.get(sandbox.url + PATH, verify=PLAIN)
    wrong = httpx.get(sandbox.url + PATH, headers={"X-CEKURA-API-KEY": "guess"}, verify=PLAIN)
    assert problem(missing) == (401, {"detail": "Authentication credentials were not provided."})
    assert problem(wrong) == (403, {"detail": "Invalid API key."})


def test_a_missing_slash_redirects_and_keeps_the_query(sandbox: Sandbox) -> None:
    response = ask(sandbox, PATH.rstrip("/"), page=2, search="é")
    assert response.status_code == 301
    assert response.headers["Location"] == f"{PATH}?page=2&search=%C3%A9"


def test_unknown_paths_and_other_methods_are_refused_in_json(sandbox: Sandbox) -> None:
    assert problem(ask(sandbox, "/test_framework/v3/results/")) == (404, {"detail": "Not found."})
    headers = {"X-CEKURA-API-KEY": sandbox.key}
    with httpx.Client(headers=headers, verify=PLAIN) as client:
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


def test_a_list_follows_every_change_at_once(world: World, sandbox: Sandbox) -> None:
    sandbox.warm()
    first = read(sandbox)[0]
    world.touchless_edit(first["id"], name="Renamed")
    assert read(sandbox)[0] == {**first, "name": "Renamed"}
    assert ids(read(sandbox, search="renamed")) == [first["id"]]
    world.delete(first["id"])
    assert first["id"] not in ids(read(sandbox))
    assert read(sandbox, search="renamed") == []


def test_changes_made_under_the_lock_are_seen_together(world: World, sandbox: Sandbox) -> None:
    pages: list[list[int]] = []
    reader = threading.Thread(target=lambda: pages.append(ids(read(sandbox, page_size=200))))
    with world.lock:
        reader.start()
        gone = [world.delete(result_id) for result_id in list(world.results)[:2]]
        reader.join(0.1)
        assert reader.is_alive()
        gone += [world.delete(result_id) for result_id in list(world.results)[:2]]
    reader.join()
    assert set(pages[0]) == set(world.results)
    assert len(pages[0]) == 90 - len(gone)
