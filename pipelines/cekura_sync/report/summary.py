"""The top of the page: headline, age of the data, today's figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cekura_sync.report import wording
from cekura_sync.report.queries import Figures

STALE = timedelta(days=1)


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    note: str
    tone: str = ""


@dataclass(frozen=True)
class Freshness:
    sentence: str
    warnings: list[str]


def headline(figures: Figures) -> str:
    active = [row for row in figures.agents if row["active"]]
    compared = [row for row in active if row["verdict"]]
    fallen = [row for row in compared if row["verdict"] == "regressed"]
    if not figures.agents:
        return "There are no results yet"
    if not active:
        return "Nothing was tested in the last 30 days"
    if not compared:
        return f"{wording.counted(len(active), 'agent')}, not enough results to compare yet"
    week = wording.week(compared[0]["last_day"], figures.freshness[0]["today"])
    if not fallen:
        return f"No agent got worse {week}, of {len(compared):,} compared"
    return f"{wording.share_of(len(fallen), len(compared), 'agent')} got worse {week}"


def freshness(figures: Figures, written: datetime) -> Freshness:
    now = figures.freshness[0]
    last = figures.synced_at
    if last is None:
        return Freshness("No sync is on record in this warehouse.", [])
    sentence = (
        f"Data as of {wording.moment(last)}; last full sync {wording.moment(now['last_full_sync_at'])}; "
        f"newest result {wording.moment(now['newest_result_at'])}."
    )
    warnings = []
    if written - last > STALE:
        warnings.append(
            f"This page was written {wording.counted((written - last).days, 'day')} after the last sync."
        )
    for scope in figures.scopes:
        if last - scope.finished > STALE:
            warnings.append(
                f"The scope {scope.name} was synced {wording.counted((last - scope.finished).days, 'day')} earlier."
            )
    if now["stuck_results"]:
        warnings.append(
            f"{wording.counted(now['stuck_results'], 'result')} in flight for more than an hour: see analytics.stuck_results."
        )
    for error in figures.data_errors:
        warnings.append(
            f"Some figures may be wrong: {error['meaning']} ({wording.counted(error['rows'], 'row')}, such as {error['example']}): see analytics.data_quality."
        )
    return Freshness(sentence, warnings)


def tiles(figures: Figures) -> list[Tile]:
    now, day, lines = figures.freshness[0], figures.today[0], figures.infrastructure_agents[0]
    return [
        Tile(
            f"Passed today, {wording.day(now['today'])}",
            wording.percent(day["today_pass_rate"]),
            _n(day["today_low"], day["today_high"], day["today_decided_runs"]),
        ),
        Tile(
            "Passed in the 7 days before",
            wording.percent(day["week_pass_rate"]),
            _n(day["week_low"], day["week_high"], day["week_decided_runs"]),
        ),
        Tile(
            "Lost to the infrastructure, 30 days",
            wording.percent(lines["share"], 1),
            f"{lines['failed_results']:,} of {wording.counted(lines['ended_results'], 'result')}",
        ),
        Tile(
            "Results",
            wording.count(now["live_results"]),
            f"{wording.count(now['in_flight_results'])} in flight, {wording.count(now['stuck_results'])} of them stuck",
        ),
    ]


def _n(low: float | None, high: float | None, runs: int) -> str:
    n = f"n = {wording.counted(runs, 'run')}"
    return n if low is None else f"{wording.span(low, high)}, {n}"
