"""The invented account: agents, what they are tested with, and how likely a run is to pass."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

DAY = 86_400_000_000  # microseconds, the unit of every time in here

AGENT_NAMES = (
    "Northwind Parcel Hotline",
    "Aurora Clinic Reception",
    "Lumen Energy Billing",
    "Harbour Hotel Concierge",
    "Cedar Dental Scheduling",
    "Atlas Insurance Claims",
    "Café Lumière Reservations",
    "Skyline Air Rebooking",
    "Maple Bank Card Services",
    "Pine Pharmacy Refills",
    "Orchid Salon Booking",
    "Delta Internet Support",
)
SITUATIONS = (
    "Caller books an appointment",
    "Caller moves an appointment to next week",
    "Caller cancels at the last minute",
    "Caller asks for the opening hours",
    "Caller asks for a human",
    "Caller disputes a charge",
    "Caller forgot the account number",
    "Caller gives a wrong date of birth",
    "Caller speaks very fast",
    "Caller switches to Spanish midway",
    "Caller interrupts twice",
    "Caller changes their mind",
    "Caller asks about a refund",
    "Caller hangs up and calls back",
    "Noisy street in the background",
    "Caller asks the same question three times",
)
CUSTOMERS = (
    "Ana López",
    "Ben Carter",
    "Chidi Okafor",
    "Dana Weiss",
    "Emre Yılmaz",
    "Fatima Noor",
    "Grace Lin",
)
PERSONALITIES = ("Patient caller", "Hurried caller", "Confused caller", "Angry caller")
UNKNOWN_CHANCE = 0.8
# What an agent passes in scenarios that are neither flaky nor broken: the worst and the best.
STEADY = (0.62, 0.95)


@dataclass(frozen=True, slots=True)
class Scenario:
    id: int
    name: str
    temper: str  # steady, flaky or broken
    shift: float
    expects_outcome: bool
    personality: str
    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Agent:
    id: int
    name: str
    project: int
    inbound: bool
    text_share: float
    base: float
    drift: float  # what the pass rate gains (or loses) from the first day to the last
    drop: float  # what it lost in the last week
    scenarios: tuple[Scenario, ...]

    def chance(self, scenario: Scenario, position: float, *, recent: bool) -> float:
        """How likely a run passes at this position (0 to 1) of the history."""
        if scenario.temper == "broken":
            return 0.03
        if scenario.temper == "flaky":
            return 0.5
        chance = self.base + scenario.shift + self.drift * position - (self.drop if recent else 0.0)
        return min(0.99, max(0.05, chance))


@dataclass(frozen=True, slots=True)
class Account:
    agents: tuple[Agent, ...]
    scenarios: dict[int, Scenario]
    began: int
    ended: int
    versions: int = 0  # that each agent has gone through; 0: this account's API does not send them

    def agent(self, agent_id: object) -> Agent | None:
        return next((agent for agent in self.agents if agent.id == agent_id), None)

    def version(self, at: int) -> str:
        return f"v{1 + min(self.versions - 1, int(self._position(at) * self.versions))}"

    def chance(self, agent: Agent, scenario_id: object, at: int) -> float:
        scenario = self.scenarios.get(scenario_id) if isinstance(scenario_id, int) else None
        if scenario is None:
            return UNKNOWN_CHANCE
        return agent.chance(scenario, self._position(at), recent=self.ended - at < 7 * DAY)

    def _position(self, at: int) -> float:
        """Where in the history a moment lies: 0 at its begin, 1 at its end and later."""
        return min(1.0, (at - self.began) / max(1, self.ended - self.began))

    def expects_outcome(self, scenario_id: object) -> bool:
        scenario = self.scenarios.get(scenario_id) if isinstance(scenario_id, int) else None
        return scenario is None or scenario.expects_outcome


def invent(
    agents: int,
    rng: random.Random,
    began: int,
    ended: int,
    versions: int = 0,
    steady: tuple[float, float] = STEADY,
) -> Account:
    made = tuple(_agent(number, rng, steady) for number in range(agents))
    scenarios = {scenario.id: scenario for agent in made for scenario in agent.scenarios}
    return Account(made, scenarios, began, ended, versions)


def _agent(number: int, rng: random.Random, steady: tuple[float, float]) -> Agent:
    name = AGENT_NAMES[number % len(AGENT_NAMES)]
    edition = number // len(AGENT_NAMES)
    situations = rng.sample(SITUATIONS, rng.randint(6, 12))
    return Agent(
        id=4101 + 7 * number,
        name=f"{name} {edition + 1}" if edition else name,
        project=301 + number % 3,
        inbound=number % 4 != 3,
        text_share=(0.0, 0.15, 0.5)[number % 3],
        base=rng.uniform(*steady),
        drift=(0.0, 0.12, 0.0, -0.15)[number % 4],
        # One agent's last change was a mistake: the story a report should tell.
        drop=0.35 if number == 1 else 0.0,
        scenarios=tuple(_scenario(number, place, name, rng) for place, name in enumerate(situations)),
    )


def _scenario(agent: int, place: int, name: str, rng: random.Random) -> Scenario:
    return Scenario(
        id=11_500 + 20 * agent + place,
        name=name,
        temper={2: "flaky", 4: "broken" if agent % 3 == 0 else "steady"}.get(place, "steady"),
        shift=rng.uniform(-0.08, 0.08),
        expects_outcome=rng.random() < 0.85,
        personality=rng.choice(PERSONALITIES),
        profile={
            "customer_name": rng.choice(CUSTOMERS),
            "account_number": f"AC-{rng.randrange(10**6):06d}",
            "language": rng.choice(("en", "en", "en", "es")),
        },
    )
