"""The charts of the Superset dashboard: what each shows, in the words of Superset's own files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROWS = 1000
PERCENT, SIGNED, DAY, MOMENT = ".1%", "+.1%", "%Y-%m-%d", "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Chart:
    """`params` is what the page draws from; `queries` is the same as the API asks it."""

    key: str  # stays when the name changes
    name: str
    query: str  # of sql/dashboards
    kind: str
    params: Mapping[str, Any]
    queries: Sequence[Mapping[str, Any]]
    height: int  # in units of eight pixels


# The metrics of each query: sums over whatever is selected, and rates of these sums. Calls are functions of sql/functions.
METRICS: Mapping[str, Mapping[str, str]] = {
    "agents_over_time": {
        "Pass rate": "rate(sum(passed_runs), sum(decided_runs))",
        "95 % from": "wilson_low(sum(passed_runs), sum(decided_runs))",
        "95 % to": "wilson_high(sum(passed_runs), sum(decided_runs))",
        "Noted change": "case when count(noted_changes) > 0 then rate(sum(passed_runs), sum(decided_runs)) end",
        "Decided runs": "sum(decided_runs)",
    },
    "infrastructure": {
        "Failed": "sum(failed)",
        "Timeout": "sum(timeout)",
        "Cancelled": "sum(cancelled)",
        "Share lost": "rate(sum(lost_results), sum(ended_results))",
        "Lost runs": "sum(lost_runs)",
    },
}
RATES = ("Pass rate", "95 % from", "95 % to", "Noted change", "Share lost")


def all_charts() -> list[list[Chart]]:
    """Row by row, from the top."""
    return [
        [_freshness()],
        [_last_week()],
        [_drivers()],
        [_by_agent(), _with_intervals()],
        [_noted_changes()],
        [_infrastructure()],
        [_scenarios()],
    ]


def _freshness() -> Chart:
    columns = {
        "last_sync_at": MOMENT,
        "newest_result_at": MOMENT,
        "overdue_at": MOMENT,
        "live_results": ",d",
        "in_flight_results": ",d",
        "stuck_results": ",d",
    }
    return _table("freshness", "How fresh the data is (UTC)", "freshness", columns, height=18, search=False)


def _last_week() -> Chart:
    columns = {
        "agent": "",
        "verdict": "",
        "previous_pass_rate": PERCENT,
        "pass_rate": PERCENT,
        "adjusted_difference": SIGNED,
        "adjusted_low": SIGNED,
        "adjusted_high": SIGNED,
        "decided_runs": ",d",
        "previous_decided_runs": ",d",
        "no_verdict_because": "",
    }
    return _table(
        "last_week", "The last week against the four before", "last_week", columns, ["adjusted_difference"]
    )


def _drivers() -> Chart:
    columns = {
        "agent": "",
        "scenario": "",
        "contribution": SIGNED,
        "previous_pass_rate": PERCENT,
        "pass_rate": PERCENT,
        "decided_runs": ",d",
        "sudden": "",
    }
    return _table("drivers", "Scenarios that drove it", "last_week_drivers", columns, ["contribution"])


def _noted_changes() -> Chart:
    columns = {
        "changed_at": MOMENT,
        "agent": "",
        "note": "",
        "verdict": "",
        "before_pass_rate": PERCENT,
        "after_pass_rate": PERCENT,
        "adjusted_difference": SIGNED,
        "adjusted_low": SIGNED,
        "adjusted_high": SIGNED,
    }
    name = "Your changes, and whether they helped"
    return _table("noted_changes", name, "noted_changes", columns, ["-changed_at"], height=35)


def _scenarios() -> Chart:
    columns = {
        "agent": "",
        "scenario": "",
        "pass_rate": PERCENT,
        "pass_rate_low": PERCENT,
        "pass_rate_high": PERCENT,
        "decided_runs": ",d",
        "recent_pass_rate": PERCENT,
        "flakiness": "",
        "last_failed_at": MOMENT,
    }
    return _table(
        "scenarios", "Scenarios, the most surely bad first", "scenarios", columns, ["pass_rate_high"]
    )


def _by_agent() -> Chart:
    series = {"metrics": ["Pass rate"], "groupby": ["agent"], "y_axis_format": ".0%", "markerEnabled": True}
    return _over_time(
        "pass_rate", "Pass rate by week", "agents_over_time", "echarts_timeseries_line", "week", series
    )


def _with_intervals() -> Chart:
    series = {
        "metrics": ["Pass rate", "95 % from", "95 % to"],
        "groupby": [],
        "seriesType": "line",
        "metrics_b": ["Noted change"],
        "groupby_b": [],
        "seriesTypeB": "scatter",
        "markerEnabledB": True,
        "markerSizeB": 12,
        "y_axis_format": ".0%",
        "yAxisIndex": 0,
        "yAxisIndexB": 0,
    }
    name = "The same for the chosen agents together, with the 95 % interval"
    return _over_time("interval", name, "agents_over_time", "mixed_timeseries", "week", series)


def _infrastructure() -> Chart:
    series = {
        "metrics": ["Failed", "Timeout", "Cancelled"],
        "groupby": [],
        "stack": "Stack",
        "y_axis_format": ",d",
    }
    name = "Results that did not end by themselves, by day"
    return _over_time("infrastructure", name, "infrastructure", "echarts_timeseries_bar", "day", series)


def _table(
    key: str,
    name: str,
    query: str,
    columns: Mapping[str, str],
    order: Sequence[str] = (),
    height: int = 50,
    *,
    search: bool = True,
) -> Chart:
    """Columns with their formats; `order` by columns, descending behind a minus."""
    orders = [(by.removeprefix("-"), not by.startswith("-")) for by in order]
    params = {
        "query_mode": "raw",
        "all_columns": [*columns],
        "order_by_cols": [f'["{column}", {str(ascending).lower()}]' for column, ascending in orders],
        "column_config": {column: _format(form) for column, form in columns.items() if form},
        "row_limit": ROWS,
        "page_length": 20 if search else 0,
        "include_search": search,
        "show_cell_bars": False,
        "table_timestamp_format": MOMENT,
    }
    asked = {"columns": [*columns], "orderby": [[*by] for by in orders], "row_limit": ROWS}
    return Chart(key, name, query, "table", params, [asked], height)


def _format(form: str) -> dict[str, str]:
    return {"d3TimeFormat" if form in (DAY, MOMENT) else "d3NumberFormat": form}


def _over_time(key: str, name: str, query: str, kind: str, time: str, series: Mapping[str, Any]) -> Chart:
    """Metrics over a time; a second set of them has names that end with _b."""
    params = {
        "x_axis": time,
        "time_grain_sqla": "P1W" if time == "week" else "P1D",
        "x_axis_time_format": DAY,
        "row_limit": 10 * ROWS,
        "truncate_metric": True,
        "show_legend": True,
        "rich_tooltip": True,
        "tooltipTimeFormat": DAY,
    }
    sets = [end for end in ("", "_b") if f"metrics{end}" in series]
    asked = [
        {
            "columns": [_axis(time, params["time_grain_sqla"]), *series[f"groupby{end}"]],
            "metrics": series[f"metrics{end}"],
            "orderby": [[time, True]],
            "row_limit": 10 * ROWS,
        }
        for end in sets
    ]
    return Chart(key, name, query, kind, params | dict(series), asked, 50)


def _axis(time: str, grain: object) -> dict[str, object]:
    return {
        "columnType": "BASE_AXIS",
        "expressionType": "SQL",
        "label": time,
        "sqlExpression": time,
        "timeGrain": grain,
    }
