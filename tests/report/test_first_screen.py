"""The first screen: who changed, which scenarios drive it, since when, and near which noted change."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.report import wording
from support.base import Base
from support.harness import run
from support.warehouse_file import publish

DAYS = 70
LAST = datetime(2024, 3, 10, 1, tzinfo=UTC)  # the night of the newest results
SYNCED = "2024-03-10 12:30:00+00"
HOSTILE = "<script>alert(1)</script>\"'&"

# The chance that a run passes, from the scenario, of 0 to 9, and the day, of 0 to DAYS - 1; the last 7 days are the last week.
Rate = Callable[[int, int], float]


def fallen(scenario: int, day: int) -> float:
    return 0.1 if scenario in (1, 2) and day >= DAYS - 7 else 0.99


def risen(scenario: int, day: int) -> float:
    return 0.97 if scenario != 3 or day >= DAYS - 7 else 0.03


def sliding(scenario: int, day: int) -> float:
    return 0.9 - 0.2 * day / DAYS


def uneven(scenario: int, day: int) -> float:
    return 0.3 if scenario < 3 else 0.99


def steady(scenario: int, day: int) -> float:
    return 0.9


def nightly(
    base: Base, agent: int, name: str, rate: Rate, again: int = 1, project: str | None = None
) -> None:
    """A result a night with ten scenarios, whose luck is spread evenly; in the last week the three first ones run `again` times."""
    spread = random.Random(agent)
    results: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    for day in range(DAYS):
        result_id = agent * 1000 + day
        ran = [s for s in range(10) for _ in range(again if s < 3 and day >= DAYS - 7 else 1)]
        luck = [(place + spread.random()) / len(ran) for place in spread.sample(range(len(ran)), len(ran))]
        at = str(LAST - timedelta(days=DAYS - 1 - day))
        results.append(
            {"id": result_id, "name": "Nightly", "agent": agent, "agent_name": name, "status": "completed",
             "total_runs_count": len(ran), "created_at": at, "synced_at": at, "_runs_known": True, "project_id": project}
        )  # fmt: skip
        runs += [
            {"id": result_id * 100 + place, "result_id": result_id, "status": "completed", "scenario": scenario,
             "scenario_name": f"Scenario {scenario} {HOSTILE}", "success": luck[place] < rate(scenario, day)}
            for place, scenario in enumerate(ran)
        ]  # fmt: skip
    base.insert_all("results", results)
    base.insert_all("runs", runs)


def page_of(base: Base, folder: Path) -> str:
    publish(base, folder / "warehouse.duckdb")
    ran = run(
        "report", "-o", str(folder / "page.html"), "--warehouse", str(folder / "warehouse.duckdb"), env={}
    )
    assert ran.code == 0, ran.err
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def base() -> Base:
    base = Base()
    base.sync(SYNCED, mode="full")
    nightly(base, 1, f"Fallen {HOSTILE}", fallen, project="42")
    nightly(base, 2, "Risen", risen)
    nightly(base, 3, "Sliding", sliding)
    nightly(base, 4, "Uneven", uneven, again=8)
    nightly(base, 5, "Steady", steady)
    nightly(base, 6, "Stray", fallen, project="../evil?")
    base.change(str(LAST - timedelta(days=12)), 6, "Too early to be the reason")
    base.change(str(LAST - timedelta(days=7)), 1, f"Prompt v12 {HOSTILE}")
    base.change(str(LAST - timedelta(days=30)), 1, "Other voice")
    return base


@pytest.fixture(scope="module")
def page(base: Base, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(base, tmp_path_factory.mktemp("first"))


def card(page: str, name: str) -> str:
    """What the card of this agent says, in words, its tags left out."""
    (found,) = (
        text
        for each in page.partition("<dl")[0].split('<div class="card')[1:]
        if (text := " ".join(re.sub(r"<[^>]*>", " ", each).split())) and name in text
    )
    return found


def test_the_headline_counts_what_is_clear_apart_from_what_is_possible(page: str) -> None:
    assert '<p class="others">1 other possibly lower over 90 days; 1 clearly better</p>' in page


def test_the_headline_names_the_agents_that_are_worse_and_how_much(page: str) -> None:
    (headline,) = re.findall(r"<h1>(.*?)</h1>", page)
    (title,) = re.findall(r"<title>(.*?) – Cekura test results</title>", page)

    name, rates = r"(?:<bdi>Fallen [^<]*</bdi>|<bdi>Stray</bdi>)", "99\xa0% → \\d\\d\xa0%"
    assert re.fullmatch(rf"{name} \({rates}\) and {name} \({rates}\) are clearly worse this week", headline)
    assert "<" not in title
    assert "Stray (99 % → " in title


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        (0, "No agent is clearly worse this week"),
        (1, "Agent 0 is clearly worse this week: 92 % → 68 %"),
        (4, "Agent 0 (92 % → 68 %), Agent 1 (92 % → 68 %) and 2 more are clearly worse this week"),
    ],
)
def test_a_headline_names_two_agents_and_counts_the_others(agents: int, said: str) -> None:
    rates = {"agent_name": None, "previous_pass_rate": 0.92, "recent_pass_rate": 0.68}

    rows = [{"agent_id": agent, **rates} for agent in range(agents)]

    assert wording.clearly_worse(rows, "this week").striptags() == said


@pytest.mark.parametrize(
    ("difference", "low", "high", "said"),
    [
        (-0.233, -0.278, -0.191, "−23 points within the same scenarios, likely 19 to 28"),
        (0.12, 0.084, 0.157, "+12 points within the same scenarios, likely 8 to 16"),
        (-0.024, -0.031, -0.016, "−2.4 points within the same scenarios, likely 1.6 to 3.1"),
        (-0.01, -0.04, 0.02, "−1 point within the same scenarios, likely −4 to +2"),
    ],
)
def test_a_difference_is_told_once_with_its_interval(
    difference: float, low: float, high: float, said: str
) -> None:
    assert wording.evidence(difference, low, high).replace("\xa0", " ") == said


def test_an_agent_that_fell_is_told_with_its_scenarios_the_day_and_the_noted_change(page: str) -> None:
    said = card(page, "Fallen")

    assert "▼ clearly worse" in said
    assert "99 % → 80 %" in said
    assert re.search(r"Since 4 Mar 2024 Change noted on 3 Mar 2024: Prompt v12 &lt;script&gt;", said)
    assert re.search(
        r"−\d\d points within the same scenarios, likely \d+ to \d+; 280 runs in the 28 days before, 70 in the last 7 days\. ",
        said,
    )
    assert "pp" not in said
    assert "Other voice" not in said
    drivers = re.findall(r"Scenario (\d) \S+ .*?(\d+ %) → (\d+ %)", said)
    assert {scenario for scenario, _, _ in drivers[:2]} == {"1", "2"}, said
    assert len(drivers) <= 3
    assert "28 runs before, 7 after; newly failing" in said


def test_a_change_noted_days_before_the_level_changed_is_not_named_with_it(page: str) -> None:
    said = card(page, "Stray")

    assert "Since 4 Mar 2024" in said
    assert "Change noted" not in said


def test_an_agent_that_rose_is_told_too(page: str) -> None:
    said = card(page, "Risen")

    assert "▲ clearly better" in said
    assert "Scenario 3" in said


def test_a_slow_decline_is_told_as_one(page: str) -> None:
    said = card(page, "Sliding")

    assert "▽ possibly lower over 90 days" in said
    assert (
        "−19 points Declining over 90 days 70 % in the last 7 days, 77 % in the 28 days before: no clear change (70 and 280 runs)."
        in said
    )
    assert "Since" not in said


def test_where_only_other_scenarios_ran_the_page_says_so(page: str) -> None:
    said = card(page, "Uneven")

    assert "◇ only other scenarios ran" in said
    assert "come from which scenarios ran" in said


def test_an_agent_that_did_not_change_has_no_card(page: str) -> None:
    assert page.count('<div class="card') == 5


def test_runs_are_linked_only_where_the_project_is_known(page: str, base: Base) -> None:
    links = re.findall(r'href="([^"]*)"', page)

    assert links
    for link in links:
        found = re.fullmatch(r"https://dashboard\.cekura\.ai/42/results/(\d+)\?call_id=(\d+)", link)
        assert found, link
        assert base.row(f"select result_id, success from cekura.runs where id = {found[2]}") == (
            int(found[1]),
            False,
        )


def test_noted_changes_are_named_below_the_curve(page: str) -> None:
    (note,) = re.findall(r"Noted changes: .*?</p>", page.partition("<bdi>Stray</bdi>: ")[0])

    assert "3 Mar 2024: <bdi>Prompt v12 &lt;script&gt;" in note
    assert "9 Feb 2024: <bdi>Other voice</bdi>" in note


def test_a_curve_and_its_title_speak_of_the_same_days(page: str, base: Base) -> None:
    passed, of = base.row(
        "select count(*) filter (where success), count(*) from cekura.runs where result_id between 5000 and 5999"
    )

    recent, of_recent = base.row(
        "select count(*) filter (where success), count(*) from cekura.runs where result_id between 5063 and 5999"
    )

    rates = (
        f"{passed / of * 100:.0f}\xa0% over all weeks, {recent / of_recent * 100:.0f}\xa0% in the last 7 days"
    )
    assert f"<bdi>Steady</bdi>: {rates}</h3>" in page
    assert f"n = {of} runs." in page
    assert re.search(
        r"Fallen [^<]*</bdi>: \d\d\xa0% over all weeks, 80\xa0% in the last 7 days; lower since 4 Mar 2024</h3>",
        page,
    )


def test_a_day_that_is_not_over_is_compared_with_equal_parts_of_others(tmp_path: Path) -> None:
    base = Base()
    base.sync("2024-03-10 12:30:00+00", mode="full")
    base.result(1, runs=[True, False], created_at="2024-03-10 12:00:00+00")
    base.result(2, runs=[True, True], created_at="2024-03-09 12:00:00+00")
    base.result(3, runs=[False, False], created_at="2024-03-09 13:00:00+00")

    page = page_of(base, tmp_path)

    tiles = re.findall(r"<dt>(.*?)</dt><dd><strong>(.*?)</strong>", page)
    assert tiles[:2] == [
        ("Passed today until 12:30 UTC, 10 Mar 2024", "50\xa0%"),
        ("Same hours, 7 days before (00:00–12:30 UTC)", "100\xa0%"),
    ]
