"""Requests as they were seen, answers as they may be spoiled, faults to order."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    index: int  # from 1
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    at: float  # time.monotonic()
    target: str = ""  # path and query as they were sent


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    truncate: int | None = None  # send only that many bytes of the length declared, then close
    disconnect: bool = False  # close without a word
    drip: float | None = None  # seconds between bytes: never silent for long, never done


def _json(status: int, body: bytes, **headers: str) -> Answer:
    return Answer(status, body, {"Content-Type": "application/json", **headers})


def _html(status: int, text: str) -> Answer:
    page = f"<!DOCTYPE html><html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>"
    return Answer(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


ELSEWHERE = "https://another-origin.invalid"  # resolves nowhere, by agreement
Spoil = Callable[["Fault", Request, Answer], Answer]
KINDS: dict[str, Spoil] = {
    "429": lambda fault, _, __: _json(
        429, b'{"detail":"Request was throttled."}', **{"Retry-After": f"{fault.retry_after}"}
    ),
    "500": lambda *_: _html(500, "Server Error (500)"),
    "503": lambda *_: _html(503, "Service Unavailable"),
    "401": lambda *_: _json(401, b'{"detail":"Authentication credentials were not provided."}'),
    "403": lambda *_: _json(403, b'{"detail":"You do not have permission to perform this action."}'),
    "404": lambda *_: _json(404, b'{"detail":"Not found."}'),
    "html": lambda *_: _html(200, "We will be back soon"),
    "error-object": lambda *_: _json(200, b'{"error":"Something went wrong","code":"internal"}'),
    "truncate": lambda _, __, answer: replace(answer, truncate=len(answer.body) // 2),
    "disconnect": lambda *_: Answer(disconnect=True),
    "slow": lambda fault, _, answer: replace(answer, delay=fault.delay),
    "redirect": lambda _, request, __: Answer(302, b"", {"Location": ELSEWHERE + request.target}),
    "garbage": lambda *_: _json(200, bytes(random.Random(7).randbytes(512))),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure, at some requests or at some share of all."""

    kind: str
    first: int = 1
    last: int | None = None  # None: for ever
    probability: float = 1.0
    retry_after: int = 1  # of a 429, in seconds
    delay: float = 2.0  # of slow, in seconds

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Unknown fault {self.kind!r}: the kinds are {', '.join(KINDS)}.")

    def strikes(self, request: Request, rng: random.Random) -> bool:
        if request.index < self.first or (self.last is not None and request.index > self.last):
            return False
        return self.probability >= 1 or rng.random() < self.probability

    def spoil(self, request: Request, answer: Answer) -> Answer:
        return KINDS[self.kind](self, request, answer)


GRAMMAR = re.compile(
    r"(?P<kind>[^@:]+)(?:@(?P<first>\d+)(?:(?P<open>\+)|-(?P<last>\d+))?|:(?P<probability>\d*\.?\d+))?"
)


def parse_fault(text: str) -> Fault:
    """KIND, KIND@N, KIND@N-M, KIND@N+ or KIND:PROBABILITY; requests count from 1."""
    match = GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"Cannot read the fault {text!r}: write KIND, KIND@N, KIND@N-M, KIND@N+ or KIND:PROBABILITY, "
            f"where KIND is one of {', '.join(KINDS)}."
        )
    options: dict[str, Any] = {}
    if match["first"]:
        first = int(match["first"])
        options = {"first": first, "last": None if match["open"] else int(match["last"] or first)}
    elif match["probability"]:
        options = {"probability": float(match["probability"])}
    return Fault(match["kind"], **options)
