"""When each scope was synced last: a sync with filters says nothing about the results that they leave out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeGuard

SKEW = timedelta(minutes=1)  # clocks may differ by this much before a sync counts as one of the future
FORGOTTEN_AFTER = timedelta(days=30)  # a scope that nobody has synced for so long, while another one was


@dataclass(frozen=True)
class Scope:
    """The last completed sync of one scope."""

    filters: dict[str, str]
    finished: datetime
    last_full: datetime | None = None  # when its last full sync was completed

    @property
    def name(self) -> str:
        return name_of(self.filters)

    def holds(self, filters: Mapping[str, str]) -> bool:
        """Whether all results of these filters are among its own: it has the same ones, or fewer."""
        return self.filters.items() <= filters.items()

    def as_json(self) -> dict[str, Any]:
        return {
            "scope": self.filters,
            "finished_at": self.finished.isoformat(),
            "last_full_at": self.last_full.isoformat() if self.last_full else None,
        }


def name_of(filters: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in filters.items()) or "all results"


def with_sync(
    scopes: Iterable[Scope], *, filters: dict[str, str], mode: str, finished: datetime
) -> list[Scope]:
    """The same scopes after one more sync."""
    known = {scope.name: scope for scope in scopes}
    before = known.pop(name_of(filters), Scope(filters, finished))
    last_full = finished if mode == "full" else before.last_full
    return [*known.values(), replace(before, finished=finished, last_full=last_full)]


def recorded(last: Mapping[str, Any], finished: datetime) -> list[Scope]:
    """What `last.json` says of each scope; one that an older version wrote knows the last sync alone."""
    entries = last.get("scopes")
    found = [scope for entry in (entries if isinstance(entries, list) else ()) if (scope := _scope(entry))]
    filters = last.get("scope")
    return with_sync(
        found,
        filters=filters if _are_filters(filters) else {},
        mode=last["mode"],
        finished=finished,
    )


def judged(scopes: Sequence[Scope], now: datetime, filters: Mapping[str, str] | None = None) -> list[Scope]:
    """The scopes whose age matters, the oldest first (one of the future before them), each as fresh as the newest sync that read all its results.

    With `filters` that one scope, or nothing where no sync has read it; else every scope that is not forgotten.
    """
    if filters is not None:
        asked = [dict(filters)]
    else:
        newest = min(now, max((scope.finished for scope in scopes), default=now))
        asked = [scope.filters for scope in scopes if newest - scope.finished <= FORGOTTEN_AFTER]
    found = [scope for wanted in asked if (scope := _as_fresh_as_can_be(scopes, wanted, now))]
    return sorted(found, key=lambda scope: (scope.finished <= now + SKEW, scope.finished))


def _as_fresh_as_can_be(scopes: Sequence[Scope], filters: dict[str, str], now: datetime) -> Scope | None:
    """One of the future, from a clock that was ahead, counts only where there is no other."""
    holding = [scope for scope in scopes if scope.holds(filters)]
    newest = max(holding, key=lambda scope: (scope.finished <= now + SKEW, scope.finished), default=None)
    last_full = max((scope.last_full for scope in holding if scope.last_full), default=None)
    return newest and replace(newest, filters=filters, last_full=last_full)


def _scope(entry: object) -> Scope | None:
    """None for what no sync has written."""
    if not isinstance(entry, dict) or not _are_filters(filters := entry.get("scope")):
        return None
    finished, last_full = moment(entry.get("finished_at")), moment(entry.get("last_full_at"))
    return Scope(filters, finished, last_full) if finished else None


def _are_filters(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def moment(text: object) -> datetime | None:
    """A time with its zone, or None."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None
