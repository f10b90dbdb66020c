"""The first screen: which agents changed, which scenarios drive it, since when, and near which noted change."""

from dataclasses import dataclass

from markupsafe import Markup

from cekura_sync.report import wording
from cekura_sync.report.queries import Figures, Row

WORSE, BETTER = 6, 3  # cards at most: a screen holds no more
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
    cards: list[Card]
    rest: str  # what found no room


def screen(figures: Figures) -> First:
    changed = [row for row in figures.agents if row["standing"]]
    better = [row for row in changed if row["standing"] == "better"]
    others = [row for row in changed if row["standing"] != "better"]
    shown = others[:WORSE] + better[:BETTER]
    left = len(changed) - len(shown)
    rest = (
        f"{wording.counted(left, 'more agent')} changed: the table of every agent has them." if left else ""
    )
    return First([_card(row, figures) for row in shown], rest)


def _card(agent: Row, figures: Figures) -> Card:
    standing = agent["standing"]
    return Card(
        tone={"worse": "worse", "better": "better"}.get(standing, "perhaps"),
        standing=wording.STANDINGS[standing],
        name=wording.isolated(wording.agent(agent)),
        rates=_rates(agent),
        evidence=_evidence(agent),
        since=_since(agent),
        drivers=[
            _driver(row, standing)
            for row in figures.drivers
            if row["agent_id"] == agent["agent_id"] and standing in OF_THE_WEEK
        ],
    )


def _rates(agent: Row) -> str:
    if agent["previous_pass_rate"] is None or agent["recent_pass_rate"] is None:
        return wording.percent(agent["pass_rate"])
    return _from_to(agent)


def _from_to(row: Row) -> str:
    before, after = row["previous_pass_rate"], row["recent_pass_rate"]
    digits = 1 if wording.percent(before) == wording.percent(after) else 0
    return f"{wording.percent(before, digits)} → {wording.percent(after, digits)}"


def _evidence(agent: Row) -> str:
    """How sure, on how many runs, and how much of it comes from which scenarios ran."""
    runs = f"{agent['previous_decided_runs']:,} → {wording.counted(agent['recent_decided_runs'], 'run')}"
    if agent["adjusted_difference"] is None:
        return f"28 days before → last 7 days, {runs}."
    interval = f"{wording.points(agent['adjusted_low'])} to {wording.points(agent['adjusted_high'])}"
    within = f"Within the same scenarios {wording.points(agent['adjusted_difference'])} ({interval}), {runs}."
    mix = f" {wording.points(agent['mix_effect'])} come from which scenarios ran."
    return within + (mix if abs(agent["mix_effect"]) >= 0.05 else "")


def _since(agent: Row) -> list[Markup]:
    said = []
    better = agent["standing"] == "better"
    if agent["since"]:
        said.append(
            Markup("Since {} ({})").format(wording.day(agent["since"]), wording.points(agent["step"]))
        )
    elif agent["trend_verdict"] == ("improved" if better else "declined"):
        slope = "Improving" if better else "Declining"
        said.append(Markup("{} over 90 days ({})").format(slope, wording.points(agent["trend"])))
    elif agent["standing"] in OF_THE_WEEK:
        said.append(Markup("No single day stands out"))
    if agent["noted_at"]:
        noted = wording.day(agent["noted_at"].date())
        said.append(Markup("Change noted on {}{}").format(noted, wording.note(agent["note"])))
    return said


def _driver(row: Row, standing: str) -> Driver:
    return Driver(
        name=wording.isolated(wording.scenario(row)),
        rates=_from_to(row),
        runs=f"{row['previous_decided_runs']:,} → {wording.counted(row['recent_decided_runs'], 'run')}",
        sudden=row["sudden"],
        url=None if standing == "better" else wording.run_url(row),
    )
