"""What a gate is asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Question:
    """Of the four ways to choose results, one is given. Rates and drops are 0 to 1."""

    agent_ids: tuple[int, ...]
    result_ids: tuple[int, ...] = ()
    since: datetime | None = None
    newest: int | None = None
    version: str | None = None
    metric: str | None = None
    baseline: timedelta = timedelta(days=28)
    max_drop: float = 0.05
    min_pass_rate: float | None = None
    must_show: float = 0.3
