"""The top of the page: headline, age of the data, today's figures."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from cekura_sync.report import wording
from cekura_sync.report.queries import Figures

STALE = timedelta(days=1)
OTHERS = {  # what the line below the headline says of them
    "possibly worse": "possibly worse",
    "possibly lower": "possibly lower over 90 days",
    "better": "clearly better",
}


@dataclass(frozen=True)
class Headline:
    """The largest line of the page, and the line below it."""

    finding: Markup
    others: str = ""

    @property
    def plain(self) -> str:
        return self.finding.striptags()

    @property
    def sentence(self) -> str:
        return "; ".join(filter(None, (self.plain, self.others)))


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


def headline(figures: Figures) -> Headline:
    active = [row for row in figures.agents if row["active"]]
    compared = [row for row in active if row["verdict"]]
    if not figures.agents:
        return Headline(Markup("There are no results yet"))
    if not active:
        return Headline(Markup("Nothing was tested in the last 30 days"))
    if not compared:
        agents = wording.counted(len(active), "agent")
        return Headline(Markup("{}, not enough results to compare yet").format(agents))
    worse = [row for row in active if row["standing"] == "worse"]
    week = wording.week(compared[0]["last_day"], figures.freshness[0]["today"])
    others = _others(Counter(row["standing"] for row in active), "other" if worse else "agent")
    finding = wording.clearly_worse(worse, week)
    return Headline(finding if worse or others else finding + f", of {len(compared):,} compared", others)


def _others(standings: Counter[str], noun: str) -> str:
    """`3 others possibly lower over 90 days; 1 clearly better`."""
    found = [(standings[standing], words) for standing, words in OTHERS.items() if standings[standing]]
    return "; ".join(
        f"{number:,} {words}" if place else f"{wording.counted(number, noun)} {words}"
        for place, (number, words) in enumerate(found)
    )


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
            f"Same hours, 7 days before (00:00–{day['until']:%H:%M} UTC)",
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
