"""What the end-to-end tests share: an invented account behind a real server, the real command, and two ways to look.

`Account.api()` is the truth as the API would list it; `Account.stored()` is what a reader of the warehouse finds. Both give
one comparable record per live result, so that tests compare per id and never by totals.
"""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cekura_sync import cli
from cekura_sync.sandbox import Sandbox, World
from support.processes import Started

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATIENCE = 120  # seconds for what takes one or two: no test fails because the machine is busy
HANG = 2 * PATIENCE  # seconds until an answer that no test waits for
LONG = bool(os.environ.get("CEKURA_TEST_LONG"))  # the long run: see `make test-long`
DESTINATIONS_MUST_BE_THERE = os.environ.get("CEKURA_TEST_DESTINATIONS") == "all"  # no test sees the variable
TIMES = ("created_at", "updated_at")
FIELDS = (
    "id",
    "name",
    "agent",
    "agent_name",
    "agent_inbound",
    "status",
    "success_rate",
    "run_as_text",
    "is_cronjob",
    "met_expected_outcome_count",
    "total_expected_outcome_count",
    "total_runs_count",
    "completed_runs_count",
    "success_runs_count",
    "failed_runs_count",
    "run_type",
    *TIMES,
)

Record = dict[str, Any]
Rows = Iterable[Sequence[Any]]


def require_destination(module: str) -> None:
    """Skip without this package of the extra `destinations`; with CEKURA_TEST_DESTINATIONS=all, fail."""
    if importlib.util.find_spec(module) is None:
        _miss(module)


def environment(name: str) -> Path:
    """The Python of an environment of its own beside ours; without it, the same."""
    python = Path(sys.prefix) / name / "bin/python"
    if not python.exists():
        _miss(name)
    return python


def _miss(name: str) -> None:
    missing = f"{name} is not installed: run `make destinations`."
    (pytest.fail if DESTINATIONS_MUST_BE_THERE else pytest.skip)(missing)


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


class Account:
    """An account at the stand-in API, and a warehouse of it."""

    def __init__(self, sandbox: Sandbox, warehouse: Path) -> None:
        self.sandbox = sandbox
        self.warehouse = warehouse
        self.home = Path(f"{warehouse}.d")

    @property
    def world(self) -> World:
        return self.sandbox.world

    @property
    def env(self) -> dict[str, str]:
        return {
            "CEKURA_API_KEY": self.sandbox.key,
            "CEKURA_API_URL": self.sandbox.url,
            "CEKURA_WAREHOUSE": str(self.warehouse),
        }

    def run(self, *arguments: str, **env: str) -> Ran:
        """The command in this process."""
        return run(*arguments, env=self.env | env)

    def sync(self, *options: str, **env: str) -> Ran:
        return self.run("sync", "--json", "-q", *options, **env)

    def spawn(self, *options: str, **env: str) -> Started:
        """`sync` as a process of its own, for tests that kill it."""
        return Started(["sync", "--json", "-q", *options], os.environ | self.env | env)

    def start(self, *options: str, **env: str) -> "subprocess.Popen[str]":
        """The same, from the start of Python on."""
        return subprocess.Popen(
            [sys.executable, "-m", "cekura_sync", "sync", "--json", "-q", *options],
            env=os.environ | self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def api(self) -> dict[int, Record]:
        """Every result the API would list, in one comparable form."""
        return {id_: truth(row) for id_, row in self.world.results.items()}

    def stored(self) -> dict[int, Record]:
        return stored(self.warehouse)

    def assert_equals_api(self) -> None:
        assert_same(self.stored(), self.api())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(self.warehouse) as con:
            return con.execute(sql).fetchall()


NewAccount = Callable[..., Account]  # the fixtures `new_account` and `new_synced`


def run(*arguments: str, env: dict[str, str]) -> Ran:
    """The command in this process, with these variables; stdout and stderr are kept apart."""
    out, err = io.StringIO(), io.StringIO()
    before = dict(os.environ)
    os.environ.update(env)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = int(cli.run(list(arguments)))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Ran(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def connect(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As a reader opens the warehouse."""
    with duckdb.connect(str(path), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        yield con


def stored(path: Path) -> dict[int, Record]:
    """Every live result that a reader of this warehouse finds, with its runs and scenarios."""
    if not path.exists():
        return {}
    with connect(path) as con:
        columns = ", ".join(f"epoch_us({name})" if name in TIMES else name for name in FIELDS)
        results = con.execute(f"select {columns} from cekura.results where deleted_at is null").fetchall()
        runs = con.execute(
            "select result_id, id, status, success, scenario, scenario_name from cekura.runs"
        ).fetchall()
        scenarios = con.execute(
            "select result_id, scenario_id, scenario_name from cekura.result_scenarios"
        ).fetchall()
    return assembled(results, runs, scenarios)


def assembled(results: Rows, runs: Rows, scenarios: Rows) -> dict[int, Record]:
    """One record per result, from rows of the three tables: `FIELDS`, then the columns that `stored` asks for."""
    runs_of, scenarios_of = defaultdict(list), defaultdict(list)
    for result_id, *run_ in runs:
        runs_of[result_id].append(tuple(run_))
    for result_id, *scenario in scenarios:
        scenarios_of[result_id].append(tuple(scenario))
    records = [dict(zip(FIELDS, row, strict=True)) for row in results]
    assert len(records) == len({record["id"] for record in records}), "an id stands in the warehouse twice"
    return {
        record["id"]: record
        | {"runs": sorted(runs_of[record["id"]]), "scenarios": sorted(scenarios_of[record["id"]], key=repr)}
        for record in records
    }


def assert_same(stored_rows: dict[int, Record], api_rows: dict[int, Record]) -> None:
    """Per id, and with a message that names the first differences."""
    missing = sorted(api_rows.keys() - stored_rows.keys())
    surplus = sorted(stored_rows.keys() - api_rows.keys())
    differing = [
        (id_, name, stored_rows[id_][name], api_rows[id_][name])
        for id_ in sorted(api_rows.keys() & stored_rows.keys())
        for name in api_rows[id_]
        if stored_rows[id_][name] != api_rows[id_][name]
    ]
    assert (missing, surplus, differing) == ([], [], []), (
        f"{len(missing)} missing {missing[:5]}, {len(surplus)} surplus {surplus[:5]}, differing {differing[:3]}"
    )


def truth(row: dict[str, Any]) -> Record:
    record = {name: row.get(name) for name in FIELDS}
    for name in TIMES:
        record[name] = (datetime.fromisoformat(row[name]) - EPOCH) // timedelta(microseconds=1)
    record["runs"] = sorted(
        (run_["id"], run_["status"], run_.get("success"), run_["scenario"], run_["scenario_name"])
        for run_ in row["runs"]
    )
    record["scenarios"] = sorted(
        {(scenario["id"], scenario["name"]) for scenario in row["scenarios"]}, key=repr
    )
    return record
