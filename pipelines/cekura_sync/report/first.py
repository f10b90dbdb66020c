"""The first screen: which agents changed, which scenarios drive it, since when, and near which noted change."""

from dataclasses import dataclass

from markupsafe import Markup

from cekura_sync.report import wording
from cekura_sync.report.queries import Figures, Row

MOST = 6  # cards of each size: a screen holds no more
BETTER = 2  # large cards that are kept for agents that got better
CLEAR = ("worse", "better")
OF_THE_WEEK = ("worse", "possibly worse", "better")


@dataclass(frozen=True)
class Driver:
    """A scenario that drives a change, with a failed run to look at where its page is known."""

    name: Markup
    rates: str
    runs: str
    sudden: str | None
    url: str | None


@dataclass(frozen=True)
class Card:
    tone: str
    standing: str
    name: Markup
    rates: str
    evidence: str
    since: list[Markup]
    drivers: list[Driver]


@dataclass(frozen=True)
class First:
    """Clear changes in large cards, those that may be chance or the mix in small ones, and the number of those left out."""

    clear: list[Card]
    doubtful: list[Card]
    rest: str


def screen(figures: Figures) -> First:
    changed = [row for row in figures.agents if row["standing"]]
    worse = [row for row in changed if row["standing"] == "worse"]
    better = [row for row in changed if row["standing"] == "better"]
    room = MOST - min(len(better), BETTER)
    clear = (worse[:room] + better)[:MOST]
    doubtful = [row for row in changed if row["standing"] not in CLEAR][:MOST]
    left = len(changed) - len(clear) - len(doubtful)
    rest = (
        f"{wording.counted(left, 'more agent')} changed: the table of every agent has them." if left else ""
    )
    return First([_card(row, figures) for row in clear], [_card(row, figures) for row in doubtful], rest)


def _card(agent: Row, figures: Figures) -> Card:
    standing = agent["standing"]
    week = wording.last_7_days(agent["last_day"], figures.freshness[0]["today"])
    return Card(
        tone=standing if standing in CLEAR else "",
        standing=wording.STANDINGS[standing],
        name=wording.isolated(wording.agent(agent)),
        rates=_rates(agent),
        evidence=_evidence(agent, week),
        since=_since(agent),
        drivers=[
            _driver(row, standing)
            for row in figures.drivers
            if row["agent_id"] == agent["agent_id"] and standing in OF_THE_WEEK
        ],
    )


def _rates(agent: Row) -> str:
    """The change over the period that the standing is about."""
    if agent["standing"] == "possibly lower":
        return wording.in_points(agent["step"] if agent["since"] else agent["trend"])
    return wording.from_to(agent)


def _evidence(agent: Row, week: str) -> str:
    """The interval, the number of runs, and the part that comes from which scenarios ran."""
    if agent["recent_pass_rate"] is None or agent["previous_pass_rate"] is None:
        return "Too few runs in the last week to compare."
    before, after = agent["previous_decided_runs"], agent["recent_decided_runs"]
    if agent["standing"] == "possibly lower":
        rates = [wording.percent(agent[f"{period}_pass_rate"]) for period in ("recent", "previous")]
        return f"{rates[0]} {week}, {rates[1]} in the 28 days before: no clear change ({after:,} and {wording.counted(before, 'run')})."
    within = wording.evidence(agent["adjusted_difference"], agent["adjusted_low"], agent["adjusted_high"])
    mix = f" {wording.in_points(agent['mix_effect'])} come from which scenarios ran."
    said = f"{within}; {wording.counted(before, 'run')} in the 28 days before, {after:,} {week}."
    return said + (mix if abs(agent["mix_effect"]) >= 0.05 else "")


def _since(agent: Row) -> list[Markup]:
    said = []
    better = agent["standing"] == "better"
    if agent["since"]:
        said.append(Markup("Since {}").format(wording.day(agent["since"])))
    elif agent["standing"] == "possibly lower":
        said.append(Markup("Declining over 90 days"))
    elif agent["standing"] in OF_THE_WEEK:
        said.append(_slope(agent, "improved" if better else "declined"))
    if agent["noted_at"]:
        noted = wording.day(agent["noted_at"].date())
        said.append(Markup("Change noted on {}{}").format(noted, wording.note(agent["note"])))
    return said


def _slope(agent: Row, direction: str) -> Markup:
    if agent["trend_verdict"] != direction:
        return Markup("No single day stands out")
    return Markup("Improving over 90 days") if direction == "improved" else Markup("Declining over 90 days")


def _driver(row: Row, standing: str) -> Driver:
    return Driver(
        name=wording.isolated(wording.scenario(row)),
        rates=wording.from_to(row),
        runs=f"{wording.counted(row['previous_decided_runs'], 'run')} before, {row['recent_decided_runs']:,} after",
        sudden=sudden(row),
        url=None if standing == "better" else wording.run_url(row),
    )


def sudden(row: Row) -> str | None:
    """`newly failing` or `fixed` by the figures of the week, or what the newest result shows instead."""
    if row["sudden_basis"] != "last result":
        verdict: str | None = row["sudden"]
        return verdict
    results = "result" if row["sudden_results"] == 1 else "results"
    return f"{row['sudden_passed_runs']:,} of {row['sudden_decided_runs']:,} passed in the newest {results}"
