"""What rows of newer servers mean, from the API to the views."""

import json
from dataclasses import replace
from typing import Any

import pytest

from support.harness import Account, NewAccount

NEWER = {"agents": 2, "runs_per_result": 3, "days": 5, "in_flight": 0, "versions": 2} | {
    "generation": "new",
    "scale": "percent",
}


@pytest.fixture
def account(new_synced: NewAccount) -> Account:
    """Forty results of a newer server, after a first sync with details; each question below has results of its own."""
    return new_synced("--details", results=40, **NEWER, arrange=plant)


def plant(account: Account) -> None:
    world = account.world
    for id_ in world.results:
        world.touchless_edit(id_, agent_version=version(7, "Draft"))
    for id_, (number, name) in zip(of_first_agent(account), VERSIONS, strict=False):
        world.touchless_edit(id_, agent_version=version(number, name))
    first, second = sorted(world.results)[:2]
    world.touchless_edit(first, project=301)
    world.touchless_edit(second, project={"id": 302, "name": "Support"})
    runs = [{**run, "status": "completed", "success": True} for run in world.results[rated(account)]["runs"]]
    runs = [{**run, "id": 900_000 + number} for number, run in enumerate((runs * 2)[:2])]
    world.touchless_edit(rated(account), runs=runs, status="completed")
    account.sandbox.rewrite = lambda _, payload: (
        spoil(account, payload) if "overall_evaluation" in payload else None
    )


def of_first_agent(account: Account) -> list[int]:
    """Newest first."""
    rows = account.world.results.values()
    return sorted((row["id"] for row in rows if row["agent"] == account.world.agents[0].id), reverse=True)


def rated(account: Account) -> int:
    """The result with metrics that a rubric judges."""
    return sorted(account.world.results)[-2]


def spoil(account: Account, payload: dict[str, Any]) -> dict[str, Any]:
    """Details as a newer server may give them."""
    ids = sorted(account.world.results)
    cases = [(name, value) for name, values in ODD_DETAILS.items() for value in values]
    chosen = dict(zip(ids[2:], cases, strict=False))
    if payload["id"] == rated(account):
        return judged(payload)
    if payload["id"] in chosen:
        name, value = chosen[payload["id"]]
        for run in payload["runs"].values():
            run[name] = value
        return payload | {"failed_reasons": {"issues": [None, 5, {"rank": "x", "run_ids": "all"}]}}
    return payload | {"failed_reasons": REASONS}


# Of the newest results of an agent; the others are of a draft of version 7.
VERSIONS = [(7, "Autumn"), (8, "Autumn"), (9, "")]


def version(number: int, name: str, *, is_current: bool = True) -> dict[str, Any]:
    return {
        "history_id": number,
        "version_id": f"v{number}",
        "version_name": name,
        "is_current": is_current,
    }


@pytest.mark.long
def test_versions_are_told_by_their_id_and_shown_by_their_newest_name(account: Account) -> None:
    drafts = len(of_first_agent(account)) - len(VERSIONS)
    assert drafts > 0
    assert account.query(
        "select agent_version_id, agent_version, results from analytics.agent_version_pass_rate"
        f" where agent_id = {account.world.agents[0].id} order by 1"
    ) == [("7", "Autumn", drafts + 1), ("8", "Autumn", 1), ("9", "v9", 1)]


@pytest.mark.long
def test_a_version_that_is_no_longer_the_current_one_changes_no_result(account: Account) -> None:
    """Its texts, which read otherwise, are recognised once something else was written: the rows of an old version are not taken apart at every sync for ever."""
    world = account.world
    for id_ in world.results:
        told = world.results[id_]["agent_version"]
        world.touchless_edit(id_, agent_version={**told, "is_current": False})
    before = dict(account.query("select id, _digest from cekura.results"))

    ran = account.sync("--full", "--details")

    assert ran.code == 0, ran.err
    assert (ran.json["updated"], ran.json["unchanged"], ran.json["changed"]) == (0, 40, False)
    assert ran.json["details_read"] == 0
    world.insert(1)
    ran = account.sync()
    assert (ran.json["inserted"], ran.json["updated"], ran.json["unchanged"]) == (1, 0, 40)
    after = dict(account.query("select id, _digest from cekura.results"))
    assert all(after[id_] != digest for id_, digest in before.items())


@pytest.mark.parametrize("table", ["runs", "run_details"])
def test_a_scenario_that_is_an_object_is_the_same_scenario(account: Account, table: str) -> None:
    ids = sorted(account.world.results)
    odd = {*ids[2 : 2 + sum(map(len, ODD_DETAILS.values()))]} if table == "run_details" else set()
    listed = {
        (run["id"], run["scenario"], run["scenario_name"])
        for row in account.world.results.values()
        if row["id"] not in odd
        for run in row["runs"]
    }
    found = account.query(f"select run_id, scenario_id, scenario_name, result_id from analytics.{table}")
    assert {(*scenario,) for *scenario, result_id in found if result_id not in odd} == listed != set()


def test_each_reason_of_failures_is_one_row(account: Account) -> None:
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
    assert account.query(
        "select decided_runs, failed_runs from analytics.failing_metrics where metric_name = 'Warmth'"
    ) == [(2, 1)]
    assert account.query(
        "select run_id, passed from analytics.run_metrics where metric_id = 911 order by 1"
    ) == [(900_000, False), (900_001, False)]


def judged(payload: dict[str, Any]) -> dict[str, Any]:
    """A score of 4.2 and one of 2.0, and a rule that wants 4; another metric says itself that it failed, under two names."""
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


@pytest.mark.long
def test_the_project_is_known_from_a_field_or_from_the_scope_whose_list_showed_it_last(
    account: Account,
) -> None:
    world, (first, second) = account.world, sorted(account.world.results)[:2]
    projects = "select project_id, count(*) from analytics.runs group by 1 order by 1 nulls last"
    of_first, of_second = (len(world.results[id_]["runs"]) for id_ in (first, second))
    assert account.query(projects)[:2] == [("301", of_first), ("302", of_second)]

    before, after = _two_projects(account)
    theirs = [id_ for id_, entry in world.entries.items() if entry.agent.project == before]
    moved = next(id_ for id_ in theirs if id_ not in (first, second))
    assert account.sync("--project-id", str(before)).code == 0
    known = account.query("select distinct agent from cekura.results where project_id is not null")
    assert (world.entries[moved].agent.id,) in known
    assert _project_of(account, moved) == str(before)
    assert account.sync("--full").json["changed"] is False

    world.account = replace(
        world.account, agents=tuple(replace(agent, project=after) for agent in world.agents)
    )
    world.version += 1
    assert account.sync("--project-id", str(after), "--full").code == 0
    assert _project_of(account, moved) == str(after)
    assert account.sync("--project-id", str(after), "--full").json["changed"] is False


@pytest.mark.long
def test_a_row_in_flight_that_is_read_by_id_is_the_row_of_the_list(account: Account) -> None:
    """But no sync of one project names it in a result that its list does not show."""
    mine, other = (next(a for a in account.world.agents if a.project == p) for p in _two_projects(account))
    (running,) = account.world.insert(1, agent=other.id, status="running")
    account.world.insert(30, agent=mine.id)
    assert account.sync("--page-size", "10").code == 0

    assert account.sync("--project-id", str(mine.project)).code == 0  # it follows what is in flight, by id
    assert _project_of(account, running) is None
    assert account.sync("--project-id", str(other.project)).code == 0
    assert account.sync("--project-id", str(mine.project)).code == 0
    assert _project_of(account, running) == str(other.project)

    account.world.finish([running])
    ran = account.sync("--page-size", "10", "--lookback", "0")
    assert (ran.code, ran.json["updated"]) == (0, 1), ran.err
    assert account.query(
        f"select status, success_rate > 1 or success_rate = 0 from cekura.results where id = {running}"
    ) == [("completed", True)]
    assert account.sync("--full").json["changed"] is False


def _two_projects(account: Account) -> list[int]:
    return sorted({agent.project for agent in account.world.agents})[:2]


def _project_of(account: Account, id_: int) -> str | None:
    return account.query(f"select project_id from analytics.live_results where result_id = {id_}")[0][0]


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


@pytest.mark.long
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

    assert account.sync().code == 0
    views = [
        f"select * from analytics.{name} order by all" for name in ("agent_pass_rate", "scenario_pass_rate")
    ]
    before = [account.query(view) for view in views]

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert [account.query(view) for view in views] == before  # reading details changes no pass rate
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
    log = "select rejected, details_read from cekura.sync_log"
    assert account.query(log) == [(0, 40)]
    metadata = {text for (text,) in account.query("select distinct metadata from cekura.run_details")}
    assert not [text for text in metadata if text and ("transcript" in text or "said" in text)]
