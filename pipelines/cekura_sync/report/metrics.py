"""Why runs fail: which metrics, and what was said of the last failure. Known only where run details were read."""

from typing import Any

from markupsafe import Markup

from cekura_sync.report import charts, tables, wording
from cekura_sync.report.queries import Figures
from cekura_sync.report.sections import Chart, Section

Row = dict[str, Any]


def metrics(figures: Figures) -> Section:
    return Section(
        "Why runs fail",
        f"By the metrics of completed runs whose details were read (sync --details): {_how_many(figures.details_read[0])}.",
        _failing(figures.failing_metrics),
    )


def _how_many(runs: Row) -> str:
    if runs["read"] == runs["runs"]:
        return "all of the history"
    return f"{runs['read']:,} of {wording.counted(runs['runs'], 'run')} so far, the newest first"


def _failing(rows: list[Row]) -> list[Chart]:
    if not rows:
        return []
    worst = rows[0]
    finding = Markup("{} fails in {} at {}").format(
        wording.isolated(wording.metric(worst)),
        wording.share_of(worst["failed_runs"], worst["decided_runs"], "run"),
        wording.isolated(wording.agent(worst)),
    )
    items = [
        {
            "name": wording.metric(row),
            "below": wording.agent(row),
            "figures": wording.percent(row["failing_share"]),
            "more": f"{row['failed_runs']:,} of {wording.counted(row['decided_runs'], 'run')}",
            "rate": row["failing_share"],
            "low": row["failing_share_low"],
            "high": row["failing_share_high"],
        }
        for row in rows
    ]
    columns: list[tables.Column] = [
        ("metric", tables.metric),
        ("agent", tables.agent),
        ("failing", tables.rate("failing_share")),
        ("low", tables.rate("failing_share_low")),
        ("high", tables.rate("failing_share_high")),
        ("runs", tables.number("decided_runs")),
        ("failed", tables.number("failed_runs")),
        ("last in", tables.scenario),
        ("and why", tables.explanation("last_explanation")),
    ]
    svg = charts.intervals(finding.striptags(), items, "runs that fail the metric")
    note = "Sorted by the lower end of the 95 % interval, highest first. The table says why each failed last."
    return [Chart(finding, svg, tables.table(columns, rows), note)]
