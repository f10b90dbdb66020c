"""Numbers, names and findings in words. Names come from the data: they are cut, stripped of what cannot be shown, and escaped."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from markupsafe import Markup

from cekura_sync.console import terminal

DASHBOARD = "https://dashboard.cekura.ai"
LONGEST_NAME = 80
LONGEST_EXPLANATION = 400
LONGEST_IN_HEADLINE = 48
NAMED = 2  # agents that a headline names
NOTHING = "–"
STANDINGS = {
    "worse": "▼\N{NO-BREAK SPACE}clearly worse",
    "possibly worse": "▽\N{NO-BREAK SPACE}possibly worse",
    "possibly lower": "▽\N{NO-BREAK SPACE}possibly lower over 90 days",
    "other mix": "◇\N{NO-BREAK SPACE}only other scenarios ran",
    "better": "▲\N{NO-BREAK SPACE}clearly better",
}
Row = dict[str, Any]


def agent(row: Row) -> str:
    """The agent's name in plain text."""
    unnamed = "Results without an agent" if row["agent_id"] is None else f"Agent {row['agent_id']}"
    return shown(row["agent_name"]) or unnamed


def scenario(row: Row) -> str:
    unnamed = "Runs without a scenario" if row["scenario_id"] is None else f"Scenario {row['scenario_id']}"
    return shown(row["scenario_name"]) or unnamed


def metric(row: Row) -> str:
    unnamed = "A metric without a name" if row["metric_id"] is None else f"Metric {row['metric_id']}"
    return shown(row["metric_name"]) or unnamed


def run_url(row: Row) -> str | None:
    """The run's page in Cekura's dashboard; None where the project is not known."""
    project, result_id, run_id = row["project_id"], row["result_id"], row["run_id"]
    if run_id is None or not re.fullmatch(r"[\w-]+", project or "", re.ASCII):
        return None
    return f"{DASHBOARD}/{project}/results/{result_id}?call_id={run_id}"


def said(explanation: str | None) -> str:
    """An evaluation's explanation, cut to a few lines."""
    return shown(" ".join((explanation or "").split()), LONGEST_EXPLANATION) or NOTHING


def shown(text: str | None, longest: int = LONGEST_NAME) -> str:
    """The text in one line, cut to the page's width."""
    text = text or ""
    cut = text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
    return terminal.plain(cut).strip()


def isolated(name: str) -> Markup:
    """A name inside a sentence: escaped, and isolated from the text direction around it."""
    return Markup("<bdi>{}</bdi>").format(name)


def note(text: str | None) -> Markup:
    """What the team noted about a change, as the end of a sentence."""
    return Markup(": {}").format(isolated(shown(text))) if shown(text) else Markup("")


def percent(rate: float | None, digits: int = 0) -> str:
    """A rate of 0 to 1. Only an exact 0 or 1 is shown as 0 % or 100 %."""
    if rate is None:
        return NOTHING
    text = f"{rate * 100:.{digits}f}"
    if float(text) in (0, 100) and float(text) != rate * 100:
        text = "<0.1" if rate < 0.0005 else ">99.9" if rate > 0.9995 else f"{rate * 100:.1f}"
    return f"{text}\N{NO-BREAK SPACE}%"


def points(difference: float | None) -> str:
    """A difference of rates, in percentage points."""
    if difference is None:
        return NOTHING
    text = f"{round(difference * 100, 1) or 0:+.1f}".replace("-", "\N{MINUS SIGN}")
    return f"{text}\N{NO-BREAK SPACE}pp"


def evidence(difference: float, low: float, high: float) -> str:
    """A difference of rates with its interval: `-23 points within the same scenarios, likely 19 to 28`."""
    digits = 0 if high - low >= 0.05 else 1
    ends = (low, high) if low * high <= 0 else sorted((abs(low), abs(high)))
    sign = "+" if low * high <= 0 else ""
    first, last = (_rounded(end, digits, sign) for end in ends)
    return f"{in_points(difference, digits)} within the same scenarios, likely {first} to {last}"


def in_points(difference: float, digits: int = 0) -> str:
    """A difference of rates in a sentence: `-23 points`."""
    text = _rounded(difference, digits, "+")
    return f"{text}\N{NO-BREAK SPACE}{'point' if text[1:] == '1' else 'points'}"


def _rounded(difference: float, digits: int, sign: str) -> str:
    points = round(difference * 100, digits)
    return f"{points:{sign}.{digits}f}".replace("-", "\N{MINUS SIGN}") if points else "0"


def span(low: float | None, high: float | None) -> str:
    """The interval of a rate."""
    return NOTHING if low is None or high is None else f"{low * 100:.0f}–{percent(high)}"


def count(number: int) -> str:
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def week(last_day: date, today: date) -> str:
    """`this week` only if the week ends today; otherwise its last day."""
    return "this week" if last_day == today else f"in the week to {day(last_day)}"


def moment(value: datetime | None) -> str:
    return NOTHING if value is None else f"{day(value)}, {value:%H:%M} UTC"


def last_7_days(last_day: date, today: date) -> str:
    return "in the last 7 days" if last_day == today else f"in the 7 days to {day(last_day)}"


def from_to(row: Row) -> str:
    """How a rate changed: `92 % → 68 %`."""
    before, after = row["previous_pass_rate"], row["recent_pass_rate"]
    digits = 1 if percent(before) == percent(after) else 0
    return f"{percent(before, digits)} → {percent(after, digits)}"


def clearly_worse(rows: Sequence[Row], when: str) -> Markup:
    """Names the first of these agents: `Aurora Clinic Reception is clearly worse this week: 92 % → 68 %`."""
    if not rows:
        return Markup("No agent is clearly worse {}").format(when)
    names = [isolated(shown(agent(row), LONGEST_IN_HEADLINE)) for row in rows[:NAMED]]
    if len(rows) == 1:
        return Markup("{} is clearly worse {}: {}").format(names[0], when, from_to(rows[0]))
    told = [Markup("{} ({})").format(name, from_to(row)) for name, row in zip(names, rows, strict=False)]
    if len(rows) == NAMED:
        return Markup("{} are clearly worse {}").format(Markup(" and ").join(told), when)
    return Markup("{} and {:,} more are clearly worse {}").format(
        Markup(", ").join(told), len(rows) - NAMED, when
    )


def share_of(number: int, total: int, noun: str) -> str:
    """`2 of 12 agents`, `none of 12 agents`."""
    return f"{number or 'none'} of {counted(total, noun)}"
