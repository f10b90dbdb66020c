"""The agents: what changed, how each did over time, and all of them in a table."""

from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from cekura_sync.report import charts, tables, wording
from cekura_sync.report.queries import Figures
from cekura_sync.report.sections import Chart, Section

SHOWN = 12  # agents that are drawn; the tables have them all
NOTED = 3  # changes of an agent that are named below its curve; all are marked on it
Row = dict[str, Any]


def changes(figures: Figures) -> Section:
    compared = [row for row in figures.agents if row["active"] and row["verdict"]]
    drawn: list[Chart] = []
    if compared:
        last_day = compared[0]["last_day"]
        week = wording.week(last_day, figures.freshness[0]["today"])
        finding = wording.clearly_worse([row for row in compared if row["verdict"] == "regressed"], week)
        items = [_change(row) for row in compared[:SHOWN]]
        columns: list[tables.Column] = [
            ("agent", tables.agent),
            ("verdict", tables.standing),
            ("difference", tables.points("difference")),
            ("within scenarios", tables.points("adjusted_difference")),
            ("95 % low", tables.points("adjusted_low")),
            ("95 % high", tables.points("adjusted_high")),
            ("7 days", tables.rate("recent_pass_rate")),
            ("runs (7 days)", tables.number("recent_decided_runs")),
            ("28 days before", tables.rate("previous_pass_rate")),
            ("runs (28 days)", tables.number("previous_decided_runs")),
        ]
        days = f"the 7 days to {wording.day(last_day)} (UTC)"
        note = f"○ the 28 days before, ● {days}. " + _cut(len(compared), "agents")
        svg = charts.dumbbells(finding.striptags(), items, "runs passed")
        drawn.append(Chart(finding, svg, tables.table(columns, compared), note, _tone(compared)))
    lead = (
        "Compared within the scenarios that ran in both periods. "
        "Colour marks changes that chance hardly explains, corrected for the number of agents."
    )
    return Section("What changed", lead, drawn)


def over_time(figures: Figures) -> Section:
    rated = [row for row in figures.over_time if row["pass_rate"] is not None]
    if not rated:
        return Section("Pass rate over time", "", [])
    unit = rated[0]["unit"]
    first, last = min(row["period"] for row in rated), max(row["period"] for row in rated)
    today = figures.freshness[0]["today"]
    if unit == "week":  # the newest week reaches to its Sunday, or to today
        last = max(last, min(last + timedelta(days=6), today))
    if first == last:  # one point stands in the middle
        first, last = first - timedelta(days=1), last + timedelta(days=1)
    charts = []
    for agent in figures.agents[:SHOWN]:
        periods = [row for row in figures.over_time if row["agent_id"] == agent["agent_id"]]
        if any(row["pass_rate"] is not None for row in periods):
            noted = [row for row in figures.noted_changes if row["agent_id"] == agent["agent_id"]]
            charts.append(_history(agent, periods, noted, (first, last), today))
    lead = (
        f"By {unit}, {wording.day(first)} to {wording.day(last)} (UTC), with the 95 % interval (Wilson's): where the band is wide, few runs "
        "were decided. A thin line marks a noted change, a dashed one the day since when the pass rate is lower or higher. "
        + _cut(len(figures.agents), "agents", "the table at the end")
    )
    return Section("Pass rate over time", lead, charts)


def _history(
    agent: Row, periods: list[Row], noted: list[Row], window: tuple[date, date], today: date
) -> Chart:
    unit = periods[0]["unit"]
    first, last = window
    since = agent["since"] if agent["since"] and first <= agent["since"] <= last else None
    finding = _passed(agent, periods[0], since, today)
    marked = [row for row in noted if first <= row["changed_on"] <= last]
    items = [
        {
            "period": row["period"].isoformat(),
            "rate": row["pass_rate"],
            "low": row["pass_rate_low"],
            "high": row["pass_rate_high"],
        }
        for row in periods
    ]
    columns: list[tables.Column] = [
        (f"{unit} (UTC)", tables.period("period")),
        ("pass rate", tables.rate("pass_rate")),
        ("low", tables.rate("pass_rate_low")),
        ("high", tables.rate("pass_rate_high")),
        ("runs", tables.number("decided_runs")),
        ("passed", tables.number("passed_runs")),
    ]
    marks = charts.Marks(
        [row["changed_on"] for row in marked], since, "regressed" if (agent["step"] or 0) < 0 else "improved"
    )
    svg = charts.over_time(finding.striptags(), items, unit, window, marks)
    n = Markup("n = {}.").format(wording.counted(periods[0]["shown_decided_runs"], "run"))
    return Chart(finding, svg, tables.table(columns, periods), n + _noted(marked), _tone([agent]))


def _passed(agent: Row, shown: Row, since: date | None, today: date) -> Markup:
    """What the curve shows: over all of it, at its end, and since when it is lower or higher."""
    said = Markup("{}: {} over all {}s").format(
        wording.isolated(wording.agent(agent)), wording.percent(shown["shown_pass_rate"]), shown["unit"]
    )
    if not agent["active"]:
        return said + f", last tested on {wording.day(agent['last_result_at'])}"
    if agent["recent_pass_rate"] is not None:
        newest = wording.last_7_days(agent["last_day"], today)
        said += f", {wording.percent(agent['recent_pass_rate'])} {newest}"
    level = "lower" if (agent["step"] or 0) < 0 else "higher"
    return said + (f"; {level} since {wording.day(since)}" if since else "")


def _noted(changes: list[Row]) -> Markup:
    """The newest noted changes of a curve in words."""
    if not changes:
        return Markup("")
    said = [
        Markup("{}{}").format(wording.day(row["changed_on"]), wording.note(row["note"]))
        for row in changes[:NOTED]
    ]
    more = f"; {len(changes) - NOTED:,} earlier" if len(changes) > NOTED else ""
    return Markup(" Noted changes: {}{}.").format(Markup("; ").join(said), more)


def every_agent(figures: Figures) -> Section:
    rows = figures.agents
    columns: list[tables.Column] = [
        ("agent", tables.agent),
        ("pass rate", tables.rate("pass_rate")),
        ("low", tables.rate("pass_rate_low")),
        ("high", tables.rate("pass_rate_high")),
        ("runs", tables.number("decided_runs")),
        ("results", tables.number("completed_results")),
        ("newest 7 days", tables.rate("recent_pass_rate")),
        ("verdict", tables.standing),
        ("last result (UTC)", tables.moment("last_result_at")),
    ]
    finding = Markup("{}, the worse ones first").format(wording.counted(len(rows), "agent"))
    charts = [Chart(finding, None, tables.table(columns, rows))] if rows else []
    return Section("Every agent", "Over its whole history.", charts)


def _change(row: Row) -> Row:
    mark = {"regressed": "▼ ", "improved": "▲ "}.get(row["verdict"], "")
    before = wording.counted(row["previous_decided_runs"], "run")
    return {
        "name": wording.agent(row),
        "below": f"{before} before, {row['recent_decided_runs']:,} after",
        "figures": f"{mark}{wording.from_to(row)}",
        "more": f"{wording.points(row['adjusted_low'])} to {wording.points(row['adjusted_high'])}",
        "before": row["previous_pass_rate"],
        "after": row["recent_pass_rate"],
        "verdict": row["verdict"],
    }


def _cut(total: int, noun: str, table: str = "the table") -> str:
    return f"The first {SHOWN} of {total} {noun}; {table} has them all." if total > SHOWN else ""


def _tone(rows: list[Row]) -> str:
    verdicts = {row["verdict"] for row in rows if row.get("active", True)}
    return "worse" if "regressed" in verdicts else "better" if verdicts == {"improved"} else ""
