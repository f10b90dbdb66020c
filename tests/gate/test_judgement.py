"""`gate --no-sync` on given rows: who got worse, who did not, and who cannot be judged.

Every agent runs a suite of ten scenarios a day, 28 days at first and then 7 more, which are the ones that are judged.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from support.base import Base
from support.harness import Ran, run
from support.rare import rare
from support.warehouse_file import publish
from support.worlds import World, write

FIRST = date(2024, 3, 4)
AWKWARD = 'A <b>|"&\x07\n*x* @all ]]> `y`'
Suite = Sequence[bool]
Row = dict[str, Any]
ALL = [True] * 10

(
    UNCHANGED,
    FELL,
    FEW,
    NEW,
    FLAKY_FELL,
    ALL_FLAKY,
    LITTLE,
    LOW,
    FLAKY_LOW,
    OTHERS,
    METRIC,
    STRANGE,
    SHORT,
    NOISY,
    OFFSET,
    EASIER,
    HARDER,
    UNRUN,
    RENEWED,
    UNSTORED,
) = range(1, 21)
NAMES = {FELL: "Fallen", UNCHANGED: "Unchanged", STRANGE: AWKWARD}


def alternating(day: int, passing: int) -> list[bool]:
    """The first scenarios always pass; the others pass on every other day."""
    return [place < passing or (day + place) % 2 == 0 for place in range(10)]


def swaying(day: int) -> list[bool]:
    """The first three pass on every other day, the eighth until the 28th."""
    return [(day + place) % 2 == 0 if place < 3 else place == 7 and day < 28 for place in range(10)]


def offset(day: int) -> list[bool]:
    """Since the 28th day two of 36 steady scenarios fail, and one of four flaky ones always passes."""
    flaky = [(day + place) % 2 == 0 or (place == 0 and day >= 28) for place in range(4)]
    return [place > 1 or day < 28 for place in range(36)] + flaky


# What each agent's suite of a day passes.
SUITES: dict[int, Callable[[int], Suite]] = {
    UNCHANGED: lambda _: [*ALL[:9], False],
    FELL: lambda day: ALL if day < 28 else [place < 7 for place in range(10)],
    FEW: lambda day: ALL if day < 28 else [False],
    FLAKY_FELL: lambda day: alternating(day, 5) if day < 28 else [place < 5 for place in range(10)],
    ALL_FLAKY: lambda day: alternating(day, 0) if day < 28 else [False] * 10,
    LITTLE: lambda day: [True] * 40 if day < 28 else [place > 0 for place in range(40)],
    LOW: lambda _: [place < 7 for place in range(10)],
    FLAKY_LOW: lambda day: alternating(day, 4),
    METRIC: lambda _: ALL,
    NEW: lambda _: ALL,
    OTHERS: lambda _: ALL,
    SHORT: lambda _: ALL[:2],
    OFFSET: offset,
    # Since the 28th day most of the scenarios that always fail are left out, and two of the others fail.
    EASIER: lambda day: ALL + [False] * 10 if day < 28 else [place in range(2, 10) for place in range(12)],
    # Since then it is those that pass that are left out, and one of them fails.
    HARDER: lambda day: (
        [place >= 20 for place in range(40)] if day < 28 else [place > 20 for place in range(32)]
    ),
    NOISY: lambda day: [passes or (place > 2 and place != 7) for place, passes in enumerate(swaying(day))],
    UNRUN: lambda day: ALL if day < 34 else [],
    RENEWED: lambda _: ALL,
    UNSTORED: lambda _: ALL,
    STRANGE: lambda day: ALL if day < 28 else [place < 5 for place in range(10)],
}

DAYS = {FEW: range(29), NEW: range(3), SHORT: range(31)}
RENEWALS = {OTHERS: 28, RENEWED: 31}  # since when an agent's suite has only new scenarios
IN_DETAILS = ("run_id", "result_id", "status", "success", "scenario", "scenario_name")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = Base()
    results: list[Row] = []
    runs: list[Row] = []
    for agent, suite in SUITES.items():
        for day in DAYS.get(agent, range(35)):
            first_scenario = 100 if day >= RENEWALS.get(agent, 35) else 0
            results.append(result(agent, day))
            runs += runs_of(agent, day, suite(day), first_scenario)
    base.insert_all("results", results)
    base.insert_all("runs", [{name: run[name] for name in run if name != "run_id"} for run in runs])
    measured = [run for run in runs if run["result_id"] // 100 == METRIC]
    base.insert_all(
        "details_read", [{"result_id": METRIC * 100 + day, "outcome": "read"} for day in range(35)]
    )
    base.insert_all("run_details", [{name: run[name] for name in IN_DETAILS} for run in measured])
    politeness = [metric(run) for run in measured if run["result_id"] % 100]
    base.insert_all("run_metrics", politeness)
    # Another metric that somebody gave the same name.
    base.insert_all("run_metrics", [row | {"metric_id": 902, "passed": True} for row in politeness])
    base.insert_all(
        "rejected_rows",
        [
            rejected(UNSTORED, 2099, "2024-04-07T13:00:00Z"),
            rejected(UNCHANGED, 199, "2024-03-20T13:00:00Z"),  # older than what is judged
            rejected(UNCHANGED, 134, "2024-04-07T12:00:00Z") | {"reason": "details: too odd"},
        ],
    )
    path = tmp_path_factory.mktemp("gate") / "warehouse.duckdb"
    publish(base, path)
    return path


def result(agent: int, day: int) -> Row:
    created = f"{FIRST + timedelta(days=day)} 12:00:00+00"
    return {
        "id": agent * 100 + day,
        "name": "Nightly",
        "agent": agent,
        "agent_name": NAMES.get(agent, f"Agent {agent}"),
        "agent_version": None if agent == NEW else "v1" if day < 28 else "v2",
        "status": "completed" if SUITES[agent](day) else "timeout",
        "total_runs_count": len(SUITES[agent](day)),
        "created_at": created,
        "synced_at": created,
        "_runs_known": True,
    }


def rejected(agent: int, id_: int, created_at: str) -> Row:
    raw = {"total_runs_count": "many", "agent": agent, "created_at": created_at}
    return {"_digest": str(id_), "id": id_, "raw": json.dumps(raw), "reason": "many", "seen_at": FIRST}


def runs_of(agent: int, day: int, suite: Suite, first_scenario: int) -> list[Row]:
    result_id = agent * 100 + day
    return [
        {
            "id": result_id * 100 + place,
            "run_id": result_id * 100 + place,
            "result_id": result_id,
            "status": "completed",
            "success": passed,
            "scenario": first_scenario + place,
            "scenario_name": f"Scenario {first_scenario + place}",
        }
        for place, passed in enumerate(suite)
    ]


def metric(run: Row) -> Row:
    """Since the 28th day half of the scenarios fail it."""
    passed = run["result_id"] % 100 < 28 or run["scenario"] < 5
    return {
        "run_id": run["id"],
        "result_id": run["result_id"],
        "metric_id": 901,
        "name": "Politeness",
        "passed": passed,
    }


@pytest.fixture
def gate(warehouse: Path) -> Callable[..., Ran]:
    def ask(*agents: int, last: int | None = 7, options: Sequence[str] = ()) -> Ran:
        chosen = ["--last", str(last)] if last else []
        named = [word for agent in agents for word in ("--agent-id", str(agent))]
        return run("gate", "--no-sync", "--warehouse", str(warehouse), *named, *chosen, *options, env={})

    return ask


Gate = Callable[..., Ran]


def told(ran: Ran) -> dict[str, Any]:
    """The one agent of the answer as JSON."""
    (agent,) = ran.json["agents"]
    return agent


# -- worse ------------------------------------------------------------------------------------------------------------


def test_an_agent_that_fell_exits_11_and_the_scenarios_that_fell_are_named(gate: Gate) -> None:
    ran = gate(FELL, options=["--json"])

    assert (ran.code, ran.json["outcome"], ran.json["exit_code"]) == (11, "worse", 11)
    agent = told(ran)
    assert (agent["because"], agent["pass_rate"], agent["baseline_pass_rate"]) == ("fell", 0.7, 1.0)
    assert agent["adjusted_difference"] == pytest.approx(-0.3)
    assert [scenario["scenario_name"] for scenario in agent["scenarios"]] == [
        f"Scenario {place}" for place in (7, 8, 9)
    ]
    newest = [{"result_id": FELL * 100 + day, "run_id": (FELL * 100 + day) * 100 + 7} for day in (34, 33, 32)]
    assert agent["scenarios"][0]["failed_runs"] == newest


def test_the_table_shows_the_agent_its_scenarios_and_runs_to_look_at(gate: Gate) -> None:
    ran = gate(FELL, UNCHANGED)

    assert ran.code == 11
    lines = [re.split(r" {2,}", line.strip()) for line in ran.out.splitlines()[3:]]
    assert lines[0] == ["Fallen", "worse", "–", "1.000", "0.700", "-0.300", "70", "–"]
    assert lines[1][2:] == ["Scenario 7", "1.000", "0.000", "-0.100", "7", "234/23407, 233/23307, 232/23207"]
    assert lines[-1][:5] == ["Unchanged", "passed", "–", "0.900", "0.900"]
    assert "cekura-sync: The gate fails for 1 of 2 agents: Fallen got worse.\n" in ran.err
    assert "Fallen got worse: 70.0 % of 70 runs passed, before 100.0 % of 280; within" in ran.err


def test_the_message_names_the_agent_that_fails_and_says_why_once(gate: Gate) -> None:
    worse, low = gate(FELL), gate(LOW, options=["--min-pass-rate", "0.9"])

    said = (
        "The gate fails. Fallen got worse: 70.0 % of 70 runs passed, before 100.0 % of 280; within the same"
    )
    assert worse.err.startswith(f"cekura-sync: {said} scenarios -30.0 points (")
    assert worse.err.count("got worse") == 1
    assert "The gate fails. Agent 8 passes too few runs: 70.0 % of 70 runs passed" in low.err
    assert "below --min-pass-rate 0.9" in low.err


def test_the_message_of_several_agents_names_the_first_ones_of_each_kind(gate: Gate) -> None:
    several = gate(FELL, STRANGE, LOW, UNCHANGED, options=["--json", "--min-pass-rate", "0.8"])
    many = gate(OTHERS, UNSTORED, NEW, ALL_FLAKY, UNCHANGED, options=["--json"])

    assert several.json["message"] == (
        f"The gate fails for 3 of 4 agents: {AWKWARD} and Fallen got worse; Agent 8 passes too few runs."
    )
    assert re.fullmatch(
        r"The gate cannot judge 4 of 5 agents: Agent \d+, Agent \d+, Agent \d+ and 1 more\.",
        many.json["message"],
    )


def test_scenarios_that_only_sway_are_not_named(gate: Gate) -> None:
    """One of them passed a little less than before by chance, and two a little more."""
    ran = gate(NOISY, options=["--json"])

    assert [scenario["scenario_id"] for scenario in told(ran)["scenarios"]] == [7]


@pytest.mark.parametrize(
    "chosen",
    [
        ["--version", "v2"],
        ["--since", "2024-04-01T12:00:00Z"],
        ["--since", "2024-04-01"],
        [word for day in range(28, 35) for word in ("--result-id", str(FELL * 100 + day))],
    ],
    ids=["version", "time", "date", "results"],
)
def test_each_way_to_choose_the_results_finds_the_fall(gate: Gate, chosen: list[str]) -> None:
    ran = gate(FELL, last=None, options=["--json", *chosen])

    assert (ran.code, told(ran)["results"], told(ran)["baseline_results"]) == (11, 7, 28)


def test_one_result_by_its_id_can_be_enough(gate: Gate) -> None:
    ran = gate(STRANGE, last=None, options=["--json", "--result-id", str(STRANGE * 100 + 28)])

    assert (ran.code, told(ran)["decided_runs"], told(ran)["adjusted_difference"]) == (11, 10, -0.5)


def test_the_baseline_reaches_no_further_back_than_it_says(gate: Gate) -> None:
    ran = gate(FELL, options=["--json", "--baseline", "10d"])

    assert (ran.code, told(ran)["baseline_results"]) == (11, 10)


def test_a_pass_rate_certainly_below_the_minimum_exits_11_and_names_what_fails_most(gate: Gate) -> None:
    ran = gate(LOW, options=["--json", "--min-pass-rate", "0.9"])

    assert (ran.code, told(ran)["because"]) == (11, "below the minimum")
    assert [scenario["scenario_id"] for scenario in told(ran)["scenarios"]] == [7, 8, 9]


def test_a_metric_can_get_worse_while_its_runs_pass(gate: Gate) -> None:
    assert gate(METRIC).code == 0

    ran = gate(METRIC, options=["--json", "--metric", "Politeness"])

    assert (ran.code, told(ran)["pass_rate"], told(ran)["baseline_pass_rate"]) == (11, 0.5, 1.0)
    assert told(ran)["decided_runs"] == 70  # one for each run, though two metrics have the name


# -- not worse --------------------------------------------------------------------------------------------------------


def test_an_unchanged_agent_passes_whatever_its_rate(gate: Gate) -> None:
    ran = gate(UNCHANGED, LOW)

    assert ran.code == 0
    assert "The gate passes." in ran.err


def test_a_certain_but_small_fall_is_tolerated_up_to_max_drop(gate: Gate) -> None:
    tolerated = gate(LITTLE, options=["--json"])

    assert (tolerated.code, told(tolerated)["verdict"]) == (0, "regressed")
    assert told(tolerated)["adjusted_difference"] == pytest.approx(-0.025)
    assert gate(LITTLE, options=["--max-drop", "0.02"]).code == 11


def test_an_agent_that_fell_by_less_than_max_drop_passes_even_if_its_steady_scenarios_fell_by_more(
    gate: Gate,
) -> None:
    ran = gate(OFFSET, options=["--json"])

    assert (ran.code, told(ran)["because"]) == (0, "fell by less than the limit")
    assert told(ran)["steady_difference"] == pytest.approx(-2 / 36)
    assert -0.05 < told(ran)["adjusted_difference"] < -0.03


def test_only_the_difference_within_scenarios_is_held_against_max_drop(gate: Gate) -> None:
    ran = gate(EASIER, HARDER, options=["--json"])

    easier, harder = sorted(ran.json["agents"], key=lambda agent: agent["agent_id"])
    assert (easier["because"], harder["because"]) == ("fell", "fell by less than the limit")
    assert [agent["adjusted_difference"] for agent in (easier, harder)] == pytest.approx([-2 / 12, -1 / 32])
    raw = [agent["pass_rate"] - agent["baseline_pass_rate"] for agent in (easier, harder)]
    assert raw == pytest.approx([8 / 12 - 1 / 2, 11 / 32 - 1 / 2])


def test_flaky_scenarios_do_not_fail_a_gate_alone(gate: Gate) -> None:
    ran = gate(FLAKY_FELL, options=["--json"])

    assert (ran.code, told(ran)["verdict"], told(ran)["flaky_scenarios"]) == (0, "regressed", 5)
    assert told(ran)["steady_difference"] == 0
    assert "only flaky scenarios fell" in ran.err


def test_flaky_scenarios_do_not_bring_a_pass_rate_below_the_minimum_alone(gate: Gate) -> None:
    ran = gate(FLAKY_LOW, last=20, options=["--min-pass-rate", "0.9"])

    assert ran.code == 0
    assert "because of flaky scenarios alone" in ran.err


@pytest.mark.parametrize("world", [*rare("nightly suite"), "good and bad nights"])
def test_of_100_unchanged_agents_at_most_3_fail(tmp_path: Path, world: str) -> None:
    nights = 0.5 if world == "good and bad nights" else 0.0
    base = Base()
    write(base, World(world, agents=100, good_and_bad_nights=nights), np.random.default_rng(7))
    publish(base, tmp_path / "warehouse.duckdb")
    agents = [word for agent in range(100) for word in ("--agent-id", str(agent))]

    ran = run("gate", "--no-sync", "--json", "--last", "7", "--warehouse", str(tmp_path / "warehouse.duckdb"), *agents, env={})  # fmt: skip

    outcomes = [agent["outcome"] for agent in ran.json["agents"]]
    assert len(outcomes) == 100
    assert outcomes.count("worse") <= 3
    assert outcomes.count("passed") >= 97


# -- cannot be judged -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "options", "says"),
    [
        (FEW, ["--last", "1"], "the results to judge are 1 and those of the baseline 28: at least 3 and 3 are needed"),
        (NEW, ["--last", "3"], "its baseline is empty: at least 3 results before"),
        (UNCHANGED, ["--last", "7", "--baseline", "2d"], "those of the baseline 2: at least 3 and 3 are needed"),
        (UNCHANGED, ["--last", "3", "--baseline", "1h"], "its baseline is empty"),
        (UNCHANGED, ["--since", "2030-01-01"], "no decided runs to judge: run its tests first; at least 3 completed results are needed"),
        (UNCHANGED, ["--version", "v9"], "Unchanged cannot be judged: no result of agent 1 has version v9; it has: v1, v2.\n"),
        (NEW, ["--version", "v9"], "no result of agent 4 has version v9, because its results have no versions: choose them by --last"),
        (OTHERS, ["--last", "7"], "none of the scenarios of its 70 runs ran in the baseline"),
        (RENEWED, ["--last", "3"], "scenarios that ran on both sides ran on 4 days, both sides together: at least 6 are needed"),
        (UNSTORED, ["--last", "7"], "1 result to judge could not be stored: `cekura.rejected_rows` has the reason"),
        (UNSTORED, ["--since", "2024-04-07"], "1 result to judge could not be stored"),
        (UNRUN, ["--result-id", "1833", "--result-id", "1834"], "result 1834 has no decided runs: start those tests again, or leave it out"),
        (UNRUN, ["--result-id", "1834"], "result 1834 has no decided runs"),
        (METRIC, ["--result-id", "1100", "--result-id", "1134", "--metric", "Politeness"], "result 1100 has no runs that pass or fail 'Politeness'"),
        (ALL_FLAKY, ["--last", "7"], "every scenario that ran on both sides is flaky"),
        (SHORT, ["--last", "3", "--must-show", "0.01"], "the baseline is too small as well"),
        (LOW, ["--last", "3", "--min-pass-rate", "0.8"], "below --min-pass-rate 0.8, but the runs are too few to prove it: about "),
    ],
)  # fmt: skip
def test_too_little_to_judge_by_exits_12_and_says_what_is_needed(
    gate: Gate, agent: int, options: list[str], says: str
) -> None:
    ran = gate(agent, last=None, options=options)

    assert ran.code == 12
    assert says in ran.err


def test_as_many_runs_as_are_said_to_be_needed_are_enough(gate: Gate) -> None:
    options = ["--must-show", "0.13", "--json"]
    few = gate(FLAKY_LOW, last=5, options=options)
    needed = told(few)["runs_needed"]

    assert (few.code, told(few)["because"]) == (12, "too few runs")
    assert 50 < needed < 200
    assert f"about {needed} runs are needed" in few.err
    enough = -(-needed // 10) + 2  # "about": the longer the one side, the shorter the other
    assert gate(FLAKY_LOW, last=enough, options=options).code == 0


def test_one_agent_that_got_worse_outweighs_one_that_cannot_be_judged(gate: Gate) -> None:
    assert gate(NEW, FELL, options=["--json"]).json["outcome"] == "worse"
    assert gate(NEW, UNCHANGED).code == 12


# -- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--agent-id", "99"], "no result of agent 99: check --agent-id"),
        (["--agent-id", "2", "--result-id", "134"], "no result 134 of agent 2"),
        (["--agent-id", "2", "--result-id", "5"], "no result 5 of agent 2"),
        (["--agent-id", "2", "--last", "3", "--version", "v2"], "one of --result-id"),
        (["--agent-id", "2", "--since", "yesterday"], "'yesterday' is not a time"),
        (["--agent-id", "2", "--baseline", "0"], "leaves nothing to compare with"),
        (["--agent-id", "2", "--max-drop", "5"], "is not in the range 0<=x<=1"),
        (["--agent-id", "2", "--max-drop", "nan"], "is not in the range 0<=x<=1"),
        (["--agent-id", "2", "--metric", "Tact"], "the metric 'Tact'"),
        (["--agent-id", str(METRIC), "--metric", "Tact"], "these have: Politeness"),
        (["--agent-id", "2", "--wait", "soon"], "not a duration"),
        (["--agent-id", "2", "--junit", "/nowhere/gate.xml"], "directory that does not exist"),
        ([], "Missing option '--agent-id'"),
    ],
)
def test_a_question_that_makes_no_sense_exits_2(gate: Gate, options: list[str], says: str) -> None:
    ran = gate(last=None, options=options)

    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


@pytest.mark.parametrize("option", ["--junit", "--summary"])
@pytest.mark.parametrize("place", ["", ".wal", ".d/commit.json"])
def test_no_file_of_the_warehouse_itself_is_written_over(
    gate: Gate, warehouse: Path, option: str, place: str
) -> None:
    ran = gate(last=None, options=["--agent-id", "2", option, f"{warehouse}{place}"])

    assert ran.code == 2
    assert "belongs to the warehouse itself" in ran.err


def test_a_hard_link_to_the_published_file_is_that_file(gate: Gate, warehouse: Path, tmp_path: Path) -> None:
    link, content = tmp_path / "link.md", warehouse.read_bytes()
    link.hardlink_to(warehouse)

    ran = gate(last=None, options=["--agent-id", "2", "--summary", str(link)])

    assert (ran.code, warehouse.read_bytes()) == (2, content)
    assert "belongs to the warehouse itself" in ran.err


# -- files ------------------------------------------------------------------------------------------------------------


def test_junit_has_a_case_for_each_agent_whatever_its_name(gate: Gate, tmp_path: Path) -> None:
    file = tmp_path / "gate.xml"

    assert gate(UNCHANGED, STRANGE, NEW, options=["--junit", str(file)]).code == 11

    suite = ElementTree.parse(file).getroot().find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    cases = {case.get("name"): case for case in suite}
    shown = AWKWARD.replace("\x07", "\ufffd").replace("\n", "\ufffd")
    failure = cases[f"{shown} ({STRANGE})"].find("failure")
    assert failure is not None
    assert f"{shown} got worse" in str(failure.get("message"))
    assert "Scenario 9" in str(failure.text)
    assert cases[f"Agent {NEW} ({NEW})"].find("error") is not None
    assert cases[f"Unchanged ({UNCHANGED})"].find("failure") is None


def test_the_summary_is_appended_and_names_are_not_markup(gate: Gate, tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")

    gate(STRANGE, options=["--summary", str(file)])
    gate(UNCHANGED, options=["--summary", str(file)])

    text = file.read_text()
    assert text.startswith("before\n### cekura-sync gate: worse\n")
    assert "### cekura-sync gate: passed" in text
    assert "<b>" not in text.replace("\\<b", "")
    assert "\\|" in text
    rows = [line for line in text.splitlines() if line.startswith("| A ")]
    assert len(rows) == 6
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    assert "@all" not in text


def test_json_is_one_object_and_carries_no_names_of_columns_twice(gate: Gate) -> None:
    ran = gate(FELL, UNCHANGED, options=["--json"])

    assert len(ran.out.splitlines()) == 1
    assert json.loads(ran.out)["agents"][0]["agent_id"] == FELL
