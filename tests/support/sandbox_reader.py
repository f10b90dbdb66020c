"""Reads a sandbox over HTTP as plainly as can be: what its own tests look through."""

from __future__ import annotations

import itertools
import ssl
from typing import Any

import httpx

from cekura_sync.sandbox import Sandbox

PATH = "/test_framework/v1/results/"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used here; the default one takes long to make
Json = dict[str, Any]


def ask(sandbox: Sandbox, path: str = PATH, **query: object) -> httpx.Response:
    headers = {"X-CEKURA-API-KEY": sandbox.key}
    params = {name: str(value) for name, value in query.items()}
    return httpx.get(sandbox.url + path, params=params, headers=headers, verify=PLAIN)


def read(sandbox: Sandbox, **query: object) -> list[Json]:
    """Every row, by page number until there is no next."""
    rows: list[Json] = []
    for number in itertools.count(1):
        page = ask(sandbox, page=number, **query).json()
        rows += page["results"]
        if page["next"] is None:
            return rows
    raise AssertionError("unreachable")


def ids(rows: list[Json]) -> list[int]:
    return [row["id"] for row in rows]


def problem(response: httpx.Response) -> tuple[int, object]:
    return response.status_code, response.json()


def by_id(sandbox: Sandbox, result_id: int) -> Json:
    found: Json = ask(sandbox, f"{PATH}{result_id}/").json()
    return found
