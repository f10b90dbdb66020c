"""Judgements in sentences: what was found, or what is missing for a judgement."""

from collections.abc import Callable, Mapping
from typing import Any

from cekura_sync.gate.judge import UNDECIDED, WORSE, Agent, Judgement
from cekura_sync.gate.question import Question

Row = Mapping[str, Any]


def headline(judgement: Judgement) -> str:
    """For the gate as a whole."""
    total = len(judgement.agents)
    concerned = len(judgement.with_outcome(judgement.outcome))
    agents = "the agent" if total == 1 else f"{concerned:,} of {total:,} agents"
    if judgement.outcome == WORSE:
        return f"The gate fails: {agents} got worse or passes too few runs."
    if judgement.outcome == UNDECIDED:
        return f"The gate cannot judge {agents}."
    return "The gate passes."


def sentence(agent: Agent, question: Question) -> str:
    """For one agent."""
    row = agent.figures
    because = row["because"]
    if agent.outcome == UNDECIDED:
        return f"{agent.name} cannot be judged: {_MISSING.get(because, _other)(row, question)}."
    found = {"fell": " got worse", "below the minimum": " passes too few runs"}.get(
        because, " passes the gate"
    )
    return f"{agent.name}{found}: {_RESULT[because](row, question)}."


def _rates(row: Row, _question: Question) -> str:
    before = (
        f", {row['baseline_pass_rate']:.3f} of {row['baseline_decided_runs']:,} before"
        if row["baseline_pass_rate"] is not None
        else ""
    )
    return f"{row['pass_rate']:.3f} of {row['decided_runs']:,} runs passed{before}"


def _within(row: Row) -> str:
    low, high = (f"{row[name]:+.3f}" for name in ("adjusted_low", "adjusted_high"))
    return f"within the same scenarios {row['adjusted_difference']:+.3f} ({low} to {high})"


def _compared(row: Row, question: Question) -> str:
    return f"{_rates(row, question)}; {_within(row)}"


def _fell_little(row: Row, question: Question) -> str:
    return f"{_compared(row, question)}, a fall of no more than --max-drop {question.max_drop:g}"


def _fell_flaky(row: Row, question: Question) -> str:
    return (
        f"{_compared(row, question)}; only flaky scenarios fell by more than --max-drop {question.max_drop:g}"
    )


def _low(row: Row, question: Question) -> str:
    return f"{_rates(row, question)}; below --min-pass-rate {question.min_pass_rate:g}"


def _low_flaky(row: Row, question: Question) -> str:
    return f"{_low(row, question)} because of flaky scenarios alone"


_RESULT: Mapping[str, Callable[[Row, Question], str]] = {
    "fell": _compared,
    "below the minimum": _low,
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
    "no runs on one side": _one_side,
    "no scenario ran on both sides": _no_shared,
    "fewer than 3 results on one side": _few_results,
    "fewer than 6 days or results to judge by": _few_days,
    "too few runs": _few_runs,
    "only flaky scenarios": _only_flaky,
    "minimum not proven": _not_proven,
}
