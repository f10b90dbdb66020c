"""Judgements in sentences: what was found, or what is missing for a judgement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cekura_sync.gate.judge import UNDECIDED, WORSE, Agent, Judgement
from cekura_sync.gate.question import Question

Row = Mapping[str, Any]


NAMED = 3  # agents in the headline of a gate for several; the lines below it name all
LISTED = 10  # versions of an agent, the newest
FELL, LOW = "fell", "below the minimum"


def headline(judgement: Judgement, question: Question) -> str:
    """For the gate as a whole. A gate for one agent has nothing else to say."""
    concerned = judgement.with_outcome(judgement.outcome)
    if len(judgement.agents) == 1:
        fails = "The gate fails. " if judgement.outcome == WORSE else ""
        return fails + sentence(concerned[0], question)
    of = f"{len(concerned):,} of {len(judgement.agents):,} agents"
    if judgement.outcome == UNDECIDED:
        return f"The gate cannot judge {of}: {_named(concerned)}."
    if judgement.outcome != WORSE:
        return "The gate passes."
    fell, low = ([agent for agent in concerned if agent.figures["because"] == why] for why in (FELL, LOW))
    found = [f"{_named(fell)} got worse"] if fell else []
    found += [f"{_named(low)} {'passes' if len(low) == 1 else 'pass'} too few runs"] if low else []
    return f"The gate fails for {of}: {'; '.join(found)}."


def details(judgement: Judgement, question: Question) -> list[str]:
    """What is to be said below the headline: of several agents a sentence for each."""
    return [sentence(agent, question) for agent in judgement.agents] if len(judgement.agents) > 1 else []


def _named(agents: Sequence[Agent]) -> str:
    names = [agent.name for agent in agents[:NAMED]]
    names += [f"{len(agents) - NAMED:,} more"] if len(agents) > NAMED else []
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def sentence(agent: Agent, question: Question) -> str:
    """For one agent."""
    row = agent.figures
    because = row["because"]
    if agent.outcome == UNDECIDED:
        missing = _unknown_version(agent, question) or _MISSING.get(because, _other)(row, question)
        return f"{agent.name} cannot be judged: {missing}."
    found = {FELL: " got worse", LOW: " passes too few runs"}.get(because, " passes the gate")
    return f"{agent.name}{found}: {_RESULT[because](row, question)}."


def _unknown_version(agent: Agent, question: Question) -> str | None:
    """Which versions the agent has, if it has none of the name or id that was asked for."""
    names = [str(version["name"] or version["id"]) for version in agent.versions]
    asked = question.version
    if asked is None or any(asked in (version["name"], version["id"]) for version in agent.versions):
        return None
    if agent.figures["because"] != "no decided runs on one side":
        return None
    said = f"no result of agent {agent.figures['agent_id']} has version {asked}"
    if not names:
        return f"{said}, because its results have no versions: choose them by --last, --since or --result-id"
    older = f" and {len(names) - LISTED:,} older ones" if len(names) > LISTED else ""
    return f"{said}; it has: {', '.join(names[-LISTED:])}{older}"


def _percent(rate: float) -> str:
    return f"{rate * 100:.1f} %"


def _rates(row: Row, _question: Question) -> str:
    before = (
        f", before {_percent(row['baseline_pass_rate'])} of {row['baseline_decided_runs']:,}"
        if row["baseline_pass_rate"] is not None
        else ""
    )
    return f"{_percent(row['pass_rate'])} of {row['decided_runs']:,} runs passed{before}"


def _within(row: Row) -> str:
    difference, low, high = (
        f"{row[name] * 100:+.1f}" for name in ("adjusted_difference", "adjusted_low", "adjusted_high")
    )
    return f"within the same scenarios {difference} points ({low} to {high})"


def _compared(row: Row, question: Question) -> str:
    return f"{_rates(row, question)}; {_within(row)}"


def _fell_little(row: Row, question: Question) -> str:
    return f"{_compared(row, question)}, a fall of no more than --max-drop {question.max_drop:g}"


def _fell_flaky(row: Row, question: Question) -> str:
    return (
        f"{_compared(row, question)}; only flaky scenarios fell by more than --max-drop {question.max_drop:g}"
    )


def _is_low(row: Row, question: Question) -> str:
    return f"{_rates(row, question)}; below --min-pass-rate {question.min_pass_rate:g}"


def _low_flaky(row: Row, question: Question) -> str:
    return f"{_is_low(row, question)} because of flaky scenarios alone"


_RESULT: Mapping[str, Callable[[Row, Question], str]] = {
    FELL: _compared,
    LOW: _is_low,
    "same": _compared,
    "improved": _compared,
    "fell by less than the limit": _fell_little,
    "fell in flaky scenarios": _fell_flaky,
    "low in flaky scenarios": _low_flaky,
}


def _least(question: Question) -> int:
    return 1 if question.result_ids else 3


def _results(question: Question) -> str:
    return "1 completed result is" if question.result_ids else "3 completed results are"


def _days(question: Question) -> str:
    return "results" if question.result_ids else "days"


def _in_flight(row: Row, _question: Question) -> str:
    count = row["unfinished"]
    are = "1 result is" if count == 1 else f"{count:,} results are"
    return f"{are} still in flight: choose a longer --wait, or find out why they hang"


def _not_stored(row: Row, _question: Question) -> str:
    count = row["not_stored"]
    results = "1 result" if count == 1 else f"{count:,} results"
    return f"{results} to judge could not be stored: `cekura.rejected_rows` has the reason; update cekura-sync, or report it"


def _undecided(row: Row, question: Question) -> str:
    count = row["undecided"]
    have = f"result {row['undecided_id']} has" if count == 1 else f"{count:,} of its results have"
    judged = "decided runs" if question.metric is None else f"runs that pass or fail '{question.metric}'"
    return f"{have} no {judged}: start those tests again, or leave {'it' if count == 1 else 'them'} out"


def _one_side(row: Row, question: Question) -> str:
    if not row["decided_runs"]:
        return (
            f"there are no decided runs to judge: run its tests first; at least {_results(question)} needed"
        )
    return (
        f"its baseline is empty: at least 3 results before the ones to judge are needed, and 6 {_days(question)} on both sides together;"
        " choose a longer --baseline, or run its tests more often"
    )


def _no_shared(row: Row, _question: Question) -> str:
    return f"none of the scenarios of its {row['decided_runs']:,} runs ran in the baseline: choose a longer --baseline"


def _few_results(row: Row, question: Question) -> str:
    return (
        f"the results to judge are {row['results']:,} and those of the baseline {row['baseline_results']:,}:"
        f" at least {_least(question)} and 3 are needed"
    )


def _few_days(row: Row, question: Question) -> str:
    return (
        f"scenarios that ran on both sides ran on {row['days']:,} {_days(question)}, both sides together:"
        " at least 6 are needed"
    )


def _few_runs(row: Row, question: Question) -> str:
    needed = (
        f"about {row['runs_needed']:,} runs are needed"
        if row["runs_needed"]
        else "the baseline is too small as well"
    )
    return (
        f"its {row['decided_runs']:,} runs can only show a fall of {row['smallest_visible_difference']:.2f} or more,"
        f" and --must-show asks for {question.must_show:g}: {needed}"
    )


def _only_flaky(row: Row, question: Question) -> str:
    return f"{_rates(row, question)}, but every scenario that ran on both sides is flaky, and flaky scenarios alone never fail a gate"


def _not_proven(row: Row, question: Question) -> str:
    return (
        f"{_rates(row, question)}, which is below --min-pass-rate {question.min_pass_rate:g}, but the runs are too few to prove it:"
        f" about {row['runs_needed']:,} are needed"
    )


def _other(row: Row, _question: Question) -> str:
    return str(row["because"])


_MISSING: Mapping[str, Callable[[Row, Question], str]] = {
    "results in flight": _in_flight,
    "results that could not be stored": _not_stored,
    "results without decided runs": _undecided,
    "no decided runs on one side": _one_side,
    "no scenario ran on both sides": _no_shared,
    "fewer than 3 results on one side": _few_results,
    "fewer than 6 days or results to judge by": _few_days,
    "too few runs": _few_runs,
    "only flaky scenarios": _only_flaky,
    "minimum not proven": _not_proven,
}
