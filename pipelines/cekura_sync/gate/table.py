"""A judgement as one table, and as JSON."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from cekura_sync.gate.judge import Agent, Judgement, Row
from cekura_sync.gate.question import Question
from cekura_sync.gate.wording import headline, sentence

COLUMNS = (
    "agent",
    "gate",
    "scenario",
    "before",
    "after",
    "part of change",
    "runs",
    "failed runs (result/run)",
)


def rows(judgement: Judgement) -> Iterator[tuple[Any, ...]]:
    """A row for each agent, and below it one for each scenario to look at, with its part of the agent's change."""
    for agent in judgement.agents:
        figures = agent.figures
        yield (
            agent.name,
            agent.outcome,
            None,
            figures["baseline_pass_rate"],
            figures["pass_rate"],
            figures["adjusted_difference"],
            figures["decided_runs"],
            None,
        )
        for scenario in agent.scenarios:
            yield (
                agent.name,
                None,
                scenario_name(scenario),
                scenario["baseline_pass_rate"],
                scenario["pass_rate"],
                scenario["contribution"],
                scenario["decided_runs"],
                failed_runs(scenario),
            )


def scenario_name(scenario: Row) -> str:
    flaky = " (flaky)" if scenario["flaky"] else ""
    return f"{scenario['scenario_name'] or scenario['scenario']}{flaky}"


def failed_runs(scenario: Row) -> str:
    return ", ".join(f"{run['result_id']}/{run['run_id']}" for run in scenario["failed_runs"])


def as_json(judgement: Judgement, question: Question, exit_code: int) -> dict[str, Any]:
    return {
        "outcome": judgement.outcome,
        "exit_code": exit_code,
        "message": headline(judgement, question),
        "agents": [_agent(agent, question) for agent in judgement.agents],
        "in_flight": [
            {"result_id": row["result_id"], "status": row["status"]} for row in judgement.unfinished
        ],
    }


def _agent(agent: Agent, question: Question) -> dict[str, Any]:
    hidden = ("comparison", "place")
    return {
        **{name: _plain(value) for name, value in agent.figures.items() if name not in hidden},
        "message": sentence(agent, question),
        "scenarios": [
            {name: _plain(value) for name, value in scenario.items() if name not in (*hidden, "scenario")}
            for scenario in agent.scenarios
        ],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
