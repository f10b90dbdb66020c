"""A run's rubric: the rules that decide whether it passed, each about one metric."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cekura_sync.api.forms import identity, verdict

Item = dict[str, Any]


class Rule(NamedTuple):
    """What one rule says, and by what it names its metric."""

    passed: bool
    metric_id: int | None
    name: str | None
    text: str | None  # such as "Latency <= 2000"


def rubric_verdicts(run: Item) -> Iterator[Rule]:
    """The rules of a run that were applied to it."""
    evaluation = run.get("evaluation")
    rubric = run.get("rubric") or (evaluation.get("rubric") if isinstance(evaluation, dict) else None)
    rules = [*rubric.values()] if isinstance(rubric, dict) else rubric
    for item in rules if isinstance(rules, list) else ():
        passed = verdict(item.get("passed")) if isinstance(item, dict) else None
        if passed is not None:
            yield _rule(item, passed)


def _rule(item: Item, passed: bool) -> Rule:
    """The metric is named beside the rule or in it, by its id, its name, or an object of both."""
    rule = item.get("rule")
    inside = rule if isinstance(rule, dict) else {}
    named = [source.get(name) for source in (item, inside) for name in ("metric", "metric_id", "metric_name")]
    objects = [value for value in named if isinstance(value, dict)]
    plain = [*named, *(one.get("id") for one in objects), *(one.get("name") for one in objects)]
    ids = [number for value in plain if (number := identity(value)) is not None]
    names = [value for value in (*plain, item.get("name")) if isinstance(value, str) and value.strip()]
    text = rule if isinstance(rule, str) else None
    return Rule(passed, ids[0] if ids else None, names[0] if names else None, text)


def verdict_on(
    metric_id: int | None, name: str | None, rules: Sequence[Rule], names: Iterable[str]
) -> bool | None:
    """Whether the metric meets every rule about it; None where there is none. `names`: of all metrics of the run."""
    about = [rule.passed for rule in rules if _is_about(rule, metric_id, name, names)]
    return all(about) if about else None


def _is_about(rule: Rule, metric_id: int | None, name: str | None, names: Iterable[str]) -> bool:
    if rule.metric_id is not None and metric_id is not None:
        return rule.metric_id == metric_id
    if name is None:
        return False
    if rule.name is not None:
        return _plain(rule.name) == _plain(name)
    # "Latency p95 <= 2000" begins with the name of the metric Latency too.
    fitting = [other for other in (name, *names) if _begins_with(_plain(rule.text or ""), _plain(other))]
    return bool(fitting) and _plain(name) == max(map(_plain, fitting), key=len)


def _begins_with(text: str, name: str) -> bool:
    return bool(name) and text.startswith(name) and not text[len(name) : len(name) + 1].isalnum()


def _plain(text: str) -> str:
    return text.strip().lower()
