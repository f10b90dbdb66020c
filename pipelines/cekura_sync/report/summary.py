"""The top of the page: headline, age of the data, today's figures."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cekura_sync.report import wording
from cekura_sync.report.queries import Figures, Row

STALE = timedelta(days=1)
WORTH_A_WORD = ("worse", "possibly worse", "possibly lower", "better")


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
    if not figures.agents:
        return "There are no results yet"
    if not active:
        return "Nothing was tested in the last 30 days"
    if not compared:
        return f"{wording.counted(len(active), 'agent')}, not enough results to compare yet"
    return _counts(Counter(row["standing"] for row in active), compared, figures.freshness[0]["today"])


def _counts(standings: Counter[str], compared: list[Row], today: date) -> str:
    """`1 agent clearly worse this week, 1 possibly; 2 clearly better`."""
    worse, possibly = standings["worse"], standings["possibly worse"]
    who = wording.counted(worse, "agent") if worse else "No agent"
    said = f"{who} clearly worse {wording.week(compared[0]['last_day'], today)}"
    said += f", {possibly:,} possibly" if possibly else ""
    if standings["possibly lower"]:
        said += f"; {standings['possibly lower']:,} possibly lower over 90 days"
    if standings["better"]:
        said += f"; {standings['better']:,} clearly better"
    return said if any(standings[each] for each in WORTH_A_WORD) else f"{said}, of {len(compared):,} compared"


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
            f"Passed today until {day['until']:%H:%M} UTC, {wording.day(now['today'])}",
            wording.percent(day["today_pass_rate"]),
            _n(day["today_low"], day["today_high"], day["today_decided_runs"]),
        ),
        Tile(
            f"Passed until {day['until']:%H:%M} UTC in the 7 days before",
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
