"""What counts as a change: another content, and nothing else. All cases are served at once; each is judged by itself."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from cekura_sync.sandbox import Sandbox, World
from support.harness import Account

Row = dict[str, Any]
Change = Callable[[Row], Row]


def later(text: str) -> str:
    """The time in another zone's clock."""
    return datetime.fromisoformat(text).isoformat().replace("+00:00", "").replace("Z", "") + "+00:00"


def of_runs(change: Callable[[list[Row]], Any]) -> Change:
    return lambda row: row | {"runs": change([dict(run) for run in row["runs"]])}


def of_first_run(**fields: object) -> Change:
    return of_runs(lambda runs: [runs[0] | fields, *runs[1:]])


SPELLINGS: dict[str, Change] = {
    "the id is a text": lambda row: row | {"id": str(row["id"])},
    "counts are texts": lambda row: row | {"total_runs_count": str(row["total_runs_count"])},
    "counts have a point": lambda row: row | {"total_runs_count": float(row["total_runs_count"])},
    "a flag is a text": lambda row: row | {"is_cronjob": str(row["is_cronjob"])},
    "the rate is a text": lambda row: row | {"success_rate": repr(row["success_rate"])},
    "a time has no T": lambda row: row | {"created_at": row["created_at"].replace("T", " ")},
    "a time names its zone otherwise": lambda row: row | {"updated_at": later(row["updated_at"])},
    "the keys come in another order": lambda row: dict(reversed(row.items())),
    "the runs come in another order": of_runs(lambda runs: runs[::-1]),
    "the runs are keyed by their ids": of_runs(lambda runs: {str(run["id"]): run for run in runs}),
    "the scenarios come in another order": lambda row: row | {"scenarios": row["scenarios"][::-1]},
    "a scenario is named twice": lambda row: row | {"scenarios": row["scenarios"] * 2},
    "a new field is null": lambda row: row | {"brand_new": None},
    "a run's new field is null": of_first_run(brand_new=None),
    "scenarios are left out": lambda row: row | {"scenarios": None},
}
CHANGES: dict[str, Change] = {
    "another name": lambda row: row | {"name": row["name"].upper()},
    "a rate a little higher": lambda row: row | {"success_rate": 0.5000001},
    "a time one microsecond later": lambda row: (
        row | {"created_at": "2026-01-01T00:00:00.000001Z", "name": "x"}
    ),
    "a count that is gone": lambda row: row | {"failed_runs_count": None},
    "one run less": of_runs(lambda runs: runs[1:]),
    "no runs": of_runs(lambda _: []),
    "runs left out": of_runs(lambda _: None),
    "one run more": of_runs(lambda runs: [*runs, runs[0] | {"id": 9_000_001}]),
    "a run that failed after all": of_runs(
        lambda runs: [run | {"success": not run["success"]} for run in runs]
    ),
    "a run without a verdict": of_first_run(success=None),
    "a run of another scenario": of_first_run(scenario=1),
    "a run that took longer": of_first_run(duration="59:59"),
    "another scenario": lambda row: row | {"scenarios": [{"id": 1, "name": "Another"}]},
    "no scenarios": lambda row: row | {"scenarios": []},
    "a new field": lambda row: row | {"agentTemper": "calm"},
    "a run's new field": of_first_run(mood="calm"),
    **{
        f"a new field called {name}": lambda row, name=name: row | {name: "new"}
        for name in ("channel", "trigger", "agent_id", "run", "parsed", "known", "result_id")
    },
    **{
        f"a run's new field called {name}": of_first_run(**{name: "new"})
        for name in ("created_at", "scenario_id", "passed", "run", "result_id")
    },
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], dict[str, Any]]:
    """The cases whose row was written again by a full sync, and what that sync said."""
    world = World(results=60, in_flight=0, runs_per_result=3, vary_runs=False, days=20)
    with Sandbox(world) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("compare") / "warehouse.duckdb")
        assert account.sync().code == 0
        first = account.query("select max(synced_at) from cekura.results")[0][0]
        finished = [id_ for id_, row in sorted(world.results.items()) if row["status"] == "completed"]
        ids = dict(zip([*SPELLINGS, *CHANGES], finished, strict=False))
        for case, change in (SPELLINGS | CHANGES).items():
            world.set_raw(ids[case], json.dumps(change(dict(world.results[ids[case]]))).encode())
        ran = account.sync("--full")
        assert ran.code == 0, ran.err
        written = account.query(f"select id from cekura.results where synced_at > timestamptz '{first}'")
        of_id = {id_: case for case, id_ in ids.items()}
        return {of_id[id_] for (id_,) in written}, ran.json


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_is_no_change(judged: tuple[set[str], dict[str, Any]], spelling: str) -> None:
    assert spelling not in judged[0]


@pytest.mark.parametrize("change", CHANGES)
def test_another_content_is_a_change(judged: tuple[set[str], dict[str, Any]], change: str) -> None:
    assert change in judged[0]


def test_the_counters_say_how_many(judged: tuple[set[str], dict[str, Any]]) -> None:
    assert judged[1]["updated"] == len(CHANGES)
    assert judged[1]["unchanged"] == 60 - len(CHANGES)
