"""Where it goes wrong: the worst and the flakiest scenarios, and the infrastructure, apart from the agents."""

from datetime import timedelta
from typing import Any

from markupsafe import Markup

from cekura_sync.report import charts, tables, wording
from cekura_sync.report.queries import Figures
from cekura_sync.report.sections import Chart, Section

INTERVAL = "95 % interval"
Row = dict[str, Any]


def scenarios(figures: Figures) -> Section:
    return Section(
        "Scenarios",
        "The last 30 days. A broken scenario always fails; a flaky one sometimes passes and sometimes fails.",
        [*_worst(figures.worst_scenarios), *_flaky(figures.flaky_scenarios)],
    )


def sudden(figures: Figures) -> Section:
    """Scenarios that passed reliably and fail now, and the reverse."""
    rows = figures.new_failures
    columns: list[tables.Column] = [
        ("scenario", tables.scenario),
        ("agent", tables.agent),
        ("what", tables.text("verdict")),
        ("seen in the", tables.text("basis")),
        ("before", tables.rate("previous_pass_rate")),
        ("runs before", tables.number("previous_decided_runs")),
        ("now", tables.rate("pass_rate")),
        ("runs now", tables.number("decided_runs")),
        ("the run to look at", tables.run),
    ]
    failing = sum(row["verdict"] == "newly failing" for row in rows)
    counts = Markup("{} newly failing, {:,} fixed").format(
        wording.counted(failing, "scenario"), len(rows) - failing
    )
    note = "Passed reliably in the 28 days before and fails now, or the reverse."
    drawn = [Chart(counts, None, tables.table(columns, rows), note)] if rows else []
    return Section("New failures", "", drawn)


def _worst(rows: list[Row]) -> list[Chart]:
    if not rows:
        return []
    worst = rows[0]
    finding = Markup("{} passed {:,} of {} at {}").format(
        wording.isolated(wording.scenario(worst)),
        worst["passed_runs"],
        wording.counted(worst["decided_runs"], "run"),
        wording.isolated(wording.agent(worst)),
    )
    items = [
        _scenario(
            row, "pass_rate", f"{row['passed_runs']:,} of {wording.counted(row['decided_runs'], 'run')}"
        )
        for row in rows
    ]
    columns: list[tables.Column] = [
        ("scenario", tables.scenario),
        ("agent", tables.agent),
        ("pass rate", tables.rate("pass_rate")),
        ("low", tables.rate("pass_rate_low")),
        ("high", tables.rate("pass_rate_high")),
        ("runs", tables.number("decided_runs")),
        ("passed", tables.number("passed_runs")),
    ]
    svg = charts.intervals(finding.striptags(), items, "runs passed, last 30 days")
    note = f"Worst first, by the upper end of the {INTERVAL}."
    return [Chart(finding, svg, tables.table(columns, rows), note)]


def _flaky(rows: list[Row]) -> list[Chart]:
    if not rows:
        return []
    flakiest = rows[0]
    finding = Markup("{} flipped {} in {} at {}").format(
        wording.isolated(wording.scenario(flakiest)),
        wording.counted(flakiest["flips"], "time"),
        wording.counted(flakiest["decided_runs"], "run"),
        wording.isolated(wording.agent(flakiest)),
    )
    items = [
        _scenario(
            row, "flip_rate", f"{wording.counted(row['flips'], 'flip')} in {row['decided_runs']:,} runs"
        )
        for row in rows
    ]
    columns: list[tables.Column] = [
        ("scenario", tables.scenario),
        ("agent", tables.agent),
        ("flip rate", tables.rate("flip_rate")),
        ("low", tables.rate("flip_rate_low")),
        ("high", tables.rate("flip_rate_high")),
        ("flips", tables.number("flips")),
        ("runs", tables.number("decided_runs")),
        ("pass rate", tables.rate("pass_rate")),
    ]
    svg = charts.intervals(finding.striptags(), items, "runs that end differently from the run before")
    note = f"The newest 50 runs of scenarios that failed in the last 30 days, by the lower end of the {INTERVAL}."
    return [Chart(finding, svg, tables.table(columns, rows), note)]


def infrastructure(figures: Figures) -> Section:
    drawn: list[Chart] = []
    everything, *agents = figures.infrastructure_agents
    days = figures.infrastructure_days
    if days:
        found = wording.share_of(everything["failed_results"], everything["ended_results"], "result")
        finding = Markup("The infrastructure failed {} in 30 days ({})").format(
            found, wording.percent(everything["share"], 1)
        )
        items = [
            {"day": row["day"].isoformat(), "kind": kind, "count": row[column]}
            for row in days
            for kind, column in (("failed", "failed"), ("timed out", "timeout"))
        ]
        today = figures.freshness[0]["today"]
        first = today - timedelta(days=29)
        columns: list[tables.Column] = [
            ("day (UTC)", tables.period("day")),
            ("completed", tables.number("completed")),
            ("failed", tables.number("failed")),
            ("timed out", tables.number("timeout")),
            ("cancelled", tables.number("cancelled")),
            ("share", tables.rate("share")),
        ]
        svg = charts.stacked_days(finding.striptags(), items, max(row["lost"] for row in days), first, today)
        note = (
            f"n = {wording.counted(everything['ended_results'], 'result')} that ended and were not cancelled."
        )
        drawn.append(Chart(finding, svg, tables.table(columns, days), note))
    drawn += _failing_lines(agents)
    return Section(
        "The infrastructure, not the agent", "These results are in no pass rate on this page.", drawn
    )


def _failing_lines(agents: list[Row]) -> list[Chart]:
    if not agents:
        return []
    finding = Markup("{} lost {} of its results to the infrastructure").format(
        wording.isolated(wording.agent(agents[0])), wording.percent(agents[0]["share"])
    )
    items = [
        {
            "name": wording.agent(row),
            "below": f"{row['failed_results']:,} of {wording.counted(row['ended_results'], 'result')}",
            "figures": wording.percent(row["share"]),
            "more": wording.span(row["share_low"], row["share_high"]),
            "rate": row["share"],
            "low": row["share_low"],
            "high": row["share_high"],
        }
        for row in agents
    ]
    columns: list[tables.Column] = [
        ("agent", tables.agent),
        ("share", tables.rate("share")),
        ("low", tables.rate("share_low")),
        ("high", tables.rate("share_high")),
        ("failed or timed out", tables.number("failed_results")),
        ("results", tables.number("ended_results")),
    ]
    svg = charts.intervals(
        finding.striptags(), items, "results failed or timed out, last 30 days", whole=False
    )
    note = f"By the lower end of the {INTERVAL}."
    return [Chart(finding, svg, tables.table(columns, agents), note)]


def _scenario(row: Row, rate: str, n: str) -> Row:
    return {
        "name": wording.scenario(row),
        "below": wording.agent(row),
        "figures": wording.percent(row[rate]),
        "more": n,
        "rate": row[rate],
        "low": row[f"{rate}_low"],
        "high": row[f"{rate}_high"],
    }
