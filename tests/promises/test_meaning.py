"""What rows of newer servers mean, from the API to the views."""

import json
from dataclasses import replace
from typing import Any

import pytest

from support.harness import Account, NewAccount
from support.rare import rare

NEWER = {"agents": 2, "runs_per_result": 3, "days": 5, "in_flight": 0, "versions": 2} | {
    "generation": "new",
    "scale": "percent",
}


@pytest.fixture
def account(new_synced: NewAccount) -> Account:
    """Forty results of a newer server, after a first sync."""
    return new_synced(results=40, **NEWER)


def version(number: int, name: str, *, is_current: bool) -> dict[str, Any]:
    return {
        "history_id": number,
        "version_id": f"v{number}",
        "version_name": name,
        "is_current": is_current,
    }


def test_versions_are_told_by_their_id_and_shown_by_their_newest_name(account: Account) -> None:
    agent = account.world.agents[0].id
    ids = account.world.insert(4, agent=agent)
    for id_, (number, name) in zip(ids, [(7, "Draft"), (7, "Autumn"), (8, "Autumn"), (9, "")], strict=True):
        account.world.edit(id_, agent_version=version(number, name, is_current=True))

    assert account.sync().code == 0

    assert account.query(
        "select agent_version_id, agent_version, results from analytics.agent_version_pass_rate"
        " where agent_version_id in ('7', '8', '9') order by 1"
    ) == [("7", "Autumn", 2), ("8", "Autumn", 1), ("9", "v9", 1)]


def test_a_version_that_is_no_longer_the_current_one_changes_no_result(account: Account) -> None:
    for id_ in account.world.results:
        account.world.touchless_edit(id_, agent_version=version(7, "Autumn", is_current=True))
    assert account.sync("--details").code == 0
    for id_ in account.world.results:
        account.world.touchless_edit(id_, agent_version=version(7, "Autumn", is_current=False))
    account.sandbox.reset_requests()

    ran = account.sync("--full", "--details")

    assert ran.code == 0, ran.err
    assert (ran.json["updated"], ran.json["unchanged"], ran.json["changed"]) == (0, 40, False)
    assert ran.json["details_read"] == 0


def test_texts_that_read_otherwise_are_recognised_once_something_else_was_written(account: Account) -> None:
    """So that the rows of an old version are not taken apart at every sync for ever."""
    for id_ in account.world.results:
        account.world.touchless_edit(id_, agent_version=version(7, "Autumn", is_current=True))
    account.sync()
    before = dict(account.query("select id, _digest from cekura.results"))
    for id_ in account.world.results:
        account.world.touchless_edit(id_, agent_version=version(7, "Autumn", is_current=False))
    account.world.insert(1)

    ran = account.sync("--full")

    assert (ran.json["inserted"], ran.json["updated"], ran.json["unchanged"]) == (1, 0, 40)
    after = dict(account.query("select id, _digest from cekura.results"))
    assert all(after[id_] != digest for id_, digest in before.items())


@pytest.mark.parametrize("options", [*rare([]), ["--details"]])
def test_a_scenario_that_is_an_object_is_the_same_scenario(account: Account, options: list[str]) -> None:
    assert account.sync(*options).code == 0

    listed = {
        (run["id"], run["scenario"], run["scenario_name"])
        for row in account.world.results.values()
        for run in row["runs"]
    }
    assert set(account.query("select run_id, scenario_id, scenario_name from analytics.runs")) == listed
    if options:
        detailed = account.query("select run_id, scenario_id, scenario_name from analytics.run_details")
        assert set(detailed) == listed


def test_a_row_in_flight_that_is_read_by_id_is_the_row_of_the_list(account: Account) -> None:
    (id_,) = account.world.start(1)
    account.world.insert(30)
    assert account.sync("--page-size", "10").code == 0
    account.world.finish([id_])

    ran = account.sync("--page-size", "10", "--lookback", "0")

    assert ran.code == 0, ran.err
    assert ran.json["updated"] == 1
    assert account.query(
        f"select status, success_rate > 1 or success_rate = 0 from cekura.results where id = {id_}"
    ) == [("completed", True)]
    assert account.sync("--full").json["changed"] is False


def test_each_reason_of_failures_is_one_row(account: Account) -> None:
    account.sandbox.rewrite = lambda _, payload: (
        {**payload, "failed_reasons": REASONS} if "overall_evaluation" in payload else None
    )
    assert account.sync("--details").code == 0

    assert account.query(
        "select place, reason, title, description, affected_count, run_ids from cekura.failed_reasons"
        f" where result_id = {max(account.world.results)} order by place"
    ) == [
        (1, "Hung up", "Hung up", "The agent ended the call.", 2, "[11,12]"),
        (2, "Wrong date", "Wrong date", None, 1, "[13]"),
        (3, "In words alone", None, None, None, None),
    ]


REASONS = {
    "total_failed_runs": 3,
    "issues": [
        {"rank": 2, "title": "Wrong date", "run_ids": [13], "affected_count": 1},
        {
            "rank": 1,
            "title": "Hung up",
            "description": "The agent ended the call.",
            "run_ids": [11, 12],
            "affected_count": 2,
        },
        "In words alone",
    ],
}


def test_a_metric_is_judged_by_the_rubric_where_it_has_no_verdict_of_its_own(account: Account) -> None:
    result_id = account.world.insert(1)[0]
    row = account.world.results[result_id]
    runs = [{**run, "status": "completed", "success": True} for run in row["runs"][:1]] * 2
    runs = [{**run, "id": 900_000 + number} for number, run in enumerate(runs)]
    account.world.edit(result_id, runs=runs)
    account.sandbox.rewrite = lambda _, payload: judged(payload) if payload.get("id") == result_id else None

    assert account.sync("--details").code == 0

    assert account.query(
        "select decided_runs, failed_runs from analytics.failing_metrics where metric_name = 'Warmth'"
    ) == [(2, 1)]
    assert account.query(
        "select run_id, passed from analytics.run_metrics where metric_id = 911 order by 1"
    ) == [(900_000, False), (900_001, False)]


def judged(payload: dict[str, Any]) -> dict[str, Any] | None:
    """A score of 4.2 and one of 2.0, and a rule that wants 4; another metric says itself that it failed, under two names."""
    if "overall_evaluation" not in payload:
        return None
    for run, (score, passed) in zip(payload["runs"].values(), [(4.2, True), (2.0, False)], strict=True):
        run["evaluation"] = {
            "metrics": [
                {"id": 910, "name": "Warmth", "type": "numeric", "score": score},
                {"id": 912, "name": "Warmth later", "type": "numeric", "score": score},
                {"id": 911, "name": "Judged before", "type": "binary", "score": 5, "passed": True},
                {"id": 911, "name": "Judged", "type": "binary", "score": 5, "passed": "false"},
            ]
        }
        run["rubric"] = [
            {"rule": "Warmth >= 4", "passed": str(passed)},
            {"rule": "Warmth later >= 5", "passed": False},
            {"metric": 911, "rule": "Judged = true", "passed": True},
        ]
    return payload


def test_the_project_is_known_from_a_field_or_from_the_scope_of_a_sync(account: Account) -> None:
    first, second = sorted(account.world.results)[:2]
    account.world.edit(first, project=301)
    account.world.edit(second, project={"id": 302, "name": "Support"})
    assert account.sync().code == 0
    projects = "select project_id, count(*) from analytics.runs group by 1 order by 1 nulls last"
    of_first, of_second = (len(account.world.results[id_]["runs"]) for id_ in (first, second))
    assert account.query(projects)[:2] == [("301", of_first), ("302", of_second)]

    agent = account.world.agents[0]
    assert account.sync("--project-id", str(agent.project)).code == 0

    known = account.query("select distinct agent from cekura.results where project_id is not null")
    assert (agent.id,) in known
    assert account.sync("--full").json["changed"] is False


def test_a_sync_of_one_project_names_it_in_no_result_that_its_list_does_not_show(account: Account) -> None:
    mine, other = (next(a for a in account.world.agents if a.project == p) for p in _two_projects(account))
    (running,) = account.world.insert(1, agent=other.id, status="running")
    assert account.sync().code == 0

    assert account.sync("--project-id", str(mine.project)).code == 0  # it follows what is in flight, by id
    assert _project_of(account, running) is None
    assert account.sync("--project-id", str(other.project)).code == 0
    assert account.sync("--project-id", str(mine.project)).code == 0

    assert _project_of(account, running) == str(other.project)


def test_a_result_is_of_the_project_whose_list_showed_it_last(account: Account) -> None:
    world = account.world
    before, after = _two_projects(account)
    moved = next(id_ for id_, entry in world.entries.items() if entry.agent.project == before)
    assert account.sync("--project-id", str(before)).code == 0
    assert _project_of(account, moved) == str(before)
    world.account = replace(
        world.account, agents=tuple(replace(agent, project=after) for agent in world.agents)
    )
    world.version += 1

    assert account.sync("--project-id", str(after), "--full").code == 0

    assert _project_of(account, moved) == str(after)
    assert account.sync("--project-id", str(after), "--full").json["changed"] is False


def _two_projects(account: Account) -> list[int]:
    return sorted({agent.project for agent in account.world.agents})[:2]


def _project_of(account: Account, id_: int) -> str | None:
    return account.query(f"select project_id from analytics.live_results where result_id = {id_}")[0][0]


def test_reading_details_changes_no_pass_rate(account: Account) -> None:
    account.sync()
    views = [
        f"select * from analytics.{name} order by all" for name in ("agent_pass_rate", "scenario_pass_rate")
    ]
    before = [account.query(view) for view in views]

    assert account.sync("--details").code == 0

    assert [account.query(view) for view in views] == before


ODD = {
    "agent_version": [
        {},
        [],
        [1],
        "{not JSON",
        '{"history_id": 1',
        7,
        {"history_id": {"a": [1]}},
        {"version_name": ""},
    ],
    "project": ["Sales", {"id": None}, [], "{", True, 10**30],
    "project_id": ["abc", {}, -1],
}
ODD_RUNS = {
    "scenario": ["Refund", {}, {"id": None, "name": "Refund"}, {"id": "x"}, [], "{", 1.5, 10**30, True],
    "error_message": [None, "", " ", {}, {"code": 1}, [], 5, False],
    "success": ["true", "perhaps", 1, None],
}


def test_odd_values_of_newer_fields_harm_nobody(new_account: NewAccount) -> None:
    account = new_account(results=40, **NEWER)
    ids = iter(sorted(account.world.results))
    for name, values in ODD.items():
        for value in values:
            account.world.touchless_edit(next(ids), **{name: value})
    for name, values in ODD_RUNS.items():
        for value in values:
            id_ = next(ids)
            runs = account.world.results[id_]["runs"]
            account.world.set_raw(
                id_,
                json.dumps(
                    {**account.world.results[id_], "runs": [{**run, name: value} for run in runs]}
                ).encode(),
            )

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert account.query("select count(*) from analytics.results") == [(40 - ran.json["rejected"],)]
    assert account.query("select count(*) from analytics.runs where outcome is null") == [(0,)]
    assert account.run("check").code == 0
    assert account.sync("--full").json["changed"] is False


ODD_DETAILS: dict[str, list[Any]] = {
    "rubric": [
        5,
        "x",
        [None],
        [{"passed": 1}],
        {"a": {"passed": True, "rule": 5}},
        [{"rule": "", "passed": True}],
    ],
    "metadata": [
        5,
        "text",
        '{"endedReason": "hangup", "transcript": "x"}',
        [],
        {"endedReason": {"said": "x"}},
    ],
    "scenario": ["Refund", {}, {"id": "x"}, [], None],
}


def test_odd_values_in_details_of_newer_servers_harm_nobody(account: Account) -> None:
    cases = [(name, value) for name, values in ODD_DETAILS.items() for value in values]
    chosen = dict(zip(sorted(account.world.results), cases, strict=False))

    def spoil(_: object, payload: dict[str, Any]) -> dict[str, Any] | None:
        if payload.get("id") in chosen and "overall_evaluation" in payload:
            name, value = chosen[payload["id"]]
            for run in payload["runs"].values():
                run[name] = value
            payload["failed_reasons"] = {"issues": [None, 5, {"rank": "x", "run_ids": "all"}]}
        return payload

    account.sandbox.rewrite = spoil

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert (ran.json["rejected"], ran.json["details_read"]) == (0, 40)
    metadata = {text for (text,) in account.query("select distinct metadata from cekura.run_details")}
    assert not [text for text in metadata if text and ("transcript" in text or "said" in text)]
