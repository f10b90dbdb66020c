"""Which rows a request means: filters, order and pages as Django REST framework does them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from cekura_sync.sandbox.rows import Entry, mix
from cekura_sync.sandbox.world import World

HOUR = 3_600_000_000
ORDERS: dict[str, Callable[[Entry], tuple[int, int]]] = {
    "created_desc": lambda entry: (-entry.created, -entry.id),
    "created_asc": lambda entry: (entry.created, entry.id),
    "id_desc": lambda entry: (-entry.id, 0),
    "updated_desc": lambda entry: (-entry.updated, -entry.id),
    # Two groups, one after the other, each newest first.
    "grouped": lambda entry: ((entry.id % 2 << 62) - entry.created, -entry.id),
    "shuffled_stable": lambda entry: (mix(entry.id), 0),
    "shuffled_each_time": lambda entry: (entry.id, 0),
    "created_desc_ties_each_time": lambda entry: (-entry.created, 0),
    # What a database does with equal keys: any order that suits it, here the same at each request.
    "created_desc_ties": lambda entry: (-(entry.created // HOUR), mix(entry.id)),
}
FILTERS = ("agent_id", "project_id", "search", "scenarios")
Filters = tuple[tuple[str, str], ...]


class BadFilterError(ValueError):
    """A filter value of the wrong type; `args` are the parameter and what is wrong with it."""


class InvalidPageError(LookupError):
    """No such page."""


class Page(NamedTuple):
    entries: list[Entry]
    number: int
    is_last: bool
    total: int


class Listing:
    """The filtered lists in order, kept until the world changes."""

    def __init__(self, world: World, order: str, *, twins: bool) -> None:
        self._world, self._order, self._twins = world, order, twins
        self._version = -1
        self._lists: dict[Filters, list[Entry]] = {}
        self._rng = random.Random(world.version)

    def entries(self, query: dict[str, str]) -> list[Entry]:
        """To be called with the world's lock held."""
        if self._version != self._world.version:
            self._lists.clear()
            self._version = self._world.version
        filters = tuple((name, query[name]) for name in FILTERS if query.get(name))
        if filters not in self._lists:
            self._lists[filters] = self._select(filters)
        found = self._lists[filters]
        if not self._order.endswith("_each_time"):
            return found
        shuffled = self._rng.sample(found, len(found))
        is_sorted = self._order.startswith("created_desc")
        return sorted(shuffled, key=lambda entry: -entry.created) if is_sorted else shuffled

    def _select(self, filters: Filters) -> list[Entry]:
        everything = self._lists.get(())
        if everything is None:
            everything = sorted(self._world.entries.values(), key=ORDERS[self._order])
            self._lists[()] = everything
        found = everything
        for name, value in filters:
            found = self._filter(found, name, value)
        return found

    def _filter(self, entries: list[Entry], name: str, value: str) -> list[Entry]:
        if name == "search":
            return [entry for entry in entries if value.lower() in entry.name.lower()]
        if name == "scenarios":
            # The document says only "a string": one that names no scenario finds nothing.
            wanted = {int(part) for part in value.split(",") if part.strip().isdecimal()}
            hits = ((entry, sum(run in wanted for run in entry.scenario_ids)) for entry in entries)
            # The join shows a result once for each run that matches.
            return [entry for entry, count in hits for _ in range(count if self._twins else min(count, 1))]
        number = _number(name, value)
        if name == "agent_id":
            return [entry for entry in entries if entry.agent_id == number]
        projects = {agent.id: agent.project for agent in self._world.agents}
        return [
            entry for entry in entries if projects.get(_int(entry.agent_id), entry.agent.project) == number
        ]


def paginate(entries: list[Entry], query: dict[str, str], default_size: int, cap: int) -> Page:
    size = _page_size(query.get("page_size", ""), default_size, cap)
    pages = max(1, -(-len(entries) // size))
    asked = query.get("page") or "1"
    try:
        number = pages if asked == "last" else int(asked)
    except ValueError:
        raise InvalidPageError(asked) from None
    if not 1 <= number <= pages:
        raise InvalidPageError(asked)
    start = (number - 1) * size
    return Page(entries[start : start + size], number, number == pages, len(entries))


def links(url: str, page: Page) -> tuple[str | None, str | None]:
    """`next` and `previous`: this URL with another page number, every other parameter kept."""
    following = None if page.is_last else _with_page(url, page.number + 1)
    preceding = None if page.number == 1 else _with_page(url, page.number - 1 if page.number > 2 else None)
    return following, preceding


def _with_page(url: str, number: int | None) -> str:
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    query.pop("page", None)
    if number is not None:
        query["page"] = [str(number)]
    return urlunsplit(parts._replace(query=urlencode(sorted(query.items()), doseq=True)))


def _page_size(text: str, default: int, cap: int) -> int:
    try:
        size = int(text)
    except ValueError:
        return default
    return min(size, cap) if size > 0 else default


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise BadFilterError(name, "Enter a number.") from None


def _int(value: object) -> int:
    return value if isinstance(value, int) else -1
