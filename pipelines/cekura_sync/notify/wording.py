"""News in sentences. They hold names and figures, and never what was said in a call."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cekura_sync.console.terminal import plain
from cekura_sync.notify.message import Message

Row = Mapping[str, Any]

MOST = 10  # of each kind are listed
LONGEST = 200  # characters of a name

SAMPLE = Message(
    "cekura-sync: a test",
    ["This is a test message. News of your agents will look like this one."],
    [{"kind": "test"}],
)


def message_of(items: Sequence[Row]) -> Message:
    """One message of all that is new, the worst kind first."""
    lines, heads = [], []
    for kind, (head, sentence) in _KINDS.items():
        rows = [row for row in items if row["kind"] == kind]
        if not rows:
            continue
        heads.append(head.format(count=len(rows), s="s" * (len(rows) != 1)))
        lines += [sentence(row) for row in rows[:MOST]]
        if len(rows) > MOST:
            lines.append(f"And {len(rows) - MOST:,} more of this kind.")
    return Message(f"Cekura: {', '.join(heads)}", lines, [_figures(row) for row in items])


def _name(row: Row, column: str = "agent_name") -> str:
    name = row[column] or (f"Agent {row['agent_id']}" if row["agent_id"] is not None else "No agent")
    return plain(str(name))[:LONGEST]


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.0f} %"


def _regressed(row: Row) -> str:
    return f"{_name(row)} got worse: {_percent(row['rate'])} of {row['runs']:,} runs passed in the last week, {_percent(row['rate_before'])} in the four weeks before."


def _recovered(row: Row) -> str:
    return f"{_name(row)} recovered: {_percent(row['rate'])} of {row['runs']:,} runs passed in the last week, {_percent(row['rate_then'])} when it had got worse, {_percent(row['rate_before'])} before that."


def _newly_failing(row: Row) -> str:
    return f"{_name(row)}: the scenario {_name(row, 'scenario_name')} fails now: {_percent(row['rate'])} of {row['runs']:,} runs passed, {_percent(row['rate_before'])} before (see run {row['run_id']} of result {row['result_id']})."


def _lost(row: Row) -> str:
    return f"{_name(row)}: {_percent(row['rate'])} of {row['runs']:,} runs in the 24 hours up to the newest result were lost to the infrastructure."


def _stuck(row: Row) -> str:
    since = f" since {row['since']:%Y-%m-%d %H:%M}" if row["since"] else ""
    return f"{_name(row)}: result {row['result_id']} has been in flight{since} and does not end."


# How many there are, and a sentence for each.
_KINDS: Mapping[str, tuple[str, Callable[[Row], str]]] = {
    "regressed": ("{count:,} agent{s} got worse", _regressed),
    "recovered": ("{count:,} agent{s} recovered", _recovered),
    "newly failing": ("{count:,} scenario{s} newly failing", _newly_failing),
    "runs lost": ("{count:,} agent{s} losing runs", _lost),
    "stuck": ("{count:,} result{s} stuck", _stuck),
}


def _figures(row: Row) -> dict[str, Any]:
    """For programs."""
    hidden = ("to_tell", "is_over", "receiver", "subject")
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in row.items()
        if name not in hidden and value is not None
    }
