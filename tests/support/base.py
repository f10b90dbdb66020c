"""Writes rows into the base tables, so that a model's test can say what is given in a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from cekura_sync import tables as schema

BASE_TABLES = """
create schema cekura;
create table cekura.results (
    id bigint primary key, name varchar, agent bigint, agent_name varchar, agent_inbound boolean,
    status varchar, success_rate double, run_as_text boolean, is_cronjob boolean,
    met_expected_outcome_count bigint, total_expected_outcome_count bigint, total_runs_count bigint,
    completed_runs_count bigint, success_runs_count bigint, failed_runs_count bigint, run_type varchar,
    created_at timestamptz, updated_at timestamptz, deleted_at timestamptz, aged_out_at timestamptz,
    _in_flight_since timestamptz, first_seen_at timestamptz, synced_at timestamptz, _runs_known boolean, _digest varchar, agent_version varchar
);
create table cekura.runs (
    id bigint, result_id bigint, status varchar, success boolean, scenario bigint, scenario_name varchar,
    duration_seconds double
);
create table cekura.result_scenarios (result_id bigint, scenario_id bigint, scenario_name varchar);
create table cekura.sync_log (
    started_at timestamptz, finished_at timestamptz, mode varchar, scope varchar, watermark timestamptz,
    requests bigint, retries bigint, pages bigint, rows_read bigint, inserted bigint, updated bigint,
    unchanged bigint, deleted bigint, restored bigint, rejected bigint, in_flight bigint, results bigint,
    seconds double, changed boolean, generation bigint
);
create table cekura.rejected_rows (
    _digest varchar primary key, id bigint, reason varchar, raw varchar, seen_at timestamptz
);
create table cekura.changes (line bigint, agent_id bigint, changed_at timestamptz, note varchar);
"""
MONDAY = "2024-03-04 12:00:00+00"


def at(day: int, month: int = 3) -> str:
    """Noon of a day of 2024."""
    return f"2024-{month:02}-{day:02} 12:00:00+00"


class Base:
    """The base tables of a warehouse in memory, and a way to ask its views."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.con.execute("set timezone = 'UTC'")
        self.con.execute(BASE_TABLES)
        schema.complete(self.con)

    def clear(self) -> None:
        tables = ("results", "runs", "result_scenarios", "sync_log", "rejected_rows", "changes", "_told")
        for table in (*tables, *schema.DETAILS):
            self.con.execute(f"delete from cekura.{table}")

    def result(
        self,
        result_id: int,
        passed: int | None = None,
        of: int | None = None,
        runs: Sequence[bool | None] | None = None,
        **columns: Any,
    ) -> None:
        """A completed voice result; its passes come from `passed`, `of` as success_rate, or from `runs`."""
        rate = passed / of if passed is not None and of else None
        row: dict[str, Any] = {
            "id": result_id,
            "name": "Nightly",
            "agent": 1,
            "agent_name": "Anna",
            "agent_inbound": True,
            "status": "completed",
            "success_rate": rate,
            "run_as_text": False,
            "is_cronjob": False,
            "total_runs_count": of if runs is None else len(runs),
            "created_at": MONDAY,
            "synced_at": columns.get("created_at", MONDAY),
            "_runs_known": runs is not None,
        }
        self._insert("results", row | columns)
        for place, success in enumerate(runs or []):
            self.run(result_id * 100 + place, result_id, success)

    def run(self, run_id: int, result_id: int, success: bool | None, **columns: Any) -> None:
        row: dict[str, Any] = {
            "id": run_id,
            "result_id": result_id,
            "status": "completed",
            "success": success,
            "scenario": 7,
            "scenario_name": "Refund",
        }
        self._insert("runs", row | columns)

    def suites(
        self, first_id: int, first_day: str, days: int, passed: int, of: int = 10, **columns: Any
    ) -> None:
        """A completed result a day at noon UTC, one run in each of the scenarios 0 to `of` - 1, of which the first `passed` pass."""
        begin = date.fromisoformat(first_day)
        for day in range(days):
            result_id = first_id + day
            self.result(
                result_id,
                runs=[place < passed for place in range(of)],
                created_at=f"{begin + timedelta(days=day)} 12:00:00+00",
                **columns,
            )
        self.con.execute(
            "update cekura.runs set scenario = id % 100, scenario_name = 'Scenario ' || id % 100 where result_id between ? and ?",
            [first_id, first_id + days - 1],
        )

    def details(self, result_id: int, **columns: Any) -> None:
        """The details of that result were read."""
        self._insert(
            "details_read", {"result_id": result_id, "outcome": "read", "with_transcripts": False} | columns
        )

    def detail(self, run_id: int, result_id: int, **columns: Any) -> None:
        """The details of a run, in a result whose details were read."""
        if not self.rows(f"select 1 from cekura.details_read where result_id = {result_id}"):
            self.details(result_id)
        row: dict[str, Any] = {
            "run_id": run_id,
            "result_id": result_id,
            "status": "completed",
            "scenario": 7,
            "scenario_name": "Refund",
            "personality_name": "Patient caller",
            "duration_seconds": 60.0,
        }
        self._insert("run_details", row | columns)

    def metric(self, run_id: int, result_id: int, passed: bool | None = None, **columns: Any) -> None:
        """A metric measured in a run; the run's own details are written with the first one."""
        if not self.rows(
            f"select 1 from cekura.run_details where run_id = {run_id} and result_id = {result_id}"
        ):
            self.detail(run_id, result_id)
        row: dict[str, Any] = {
            "run_id": run_id,
            "result_id": result_id,
            "metric_id": 901,
            "name": "Task completed",
            "type": "binary",
            "passed": passed,
        }
        self._insert("run_metrics", row | columns)

    def measured(
        self, result_id: int, *values: Any, name: str = "passed", created_at: str = MONDAY, **columns: Any
    ) -> None:
        """A completed result with a run for each value of the metric."""
        self.result(result_id, of=len(values), created_at=created_at, agent=columns.pop("agent", 1))
        for place, value in enumerate(values):
            self.metric(result_id * 100 + place, result_id, **{name: value} | columns)

    def sync(self, finished_at: str, mode: str = "quick", **columns: Any) -> None:
        scope = json.dumps(columns.pop("scope", {}))
        row = {"started_at": finished_at, "finished_at": finished_at, "mode": mode, "scope": scope}
        self._insert("sync_log", row | columns)

    def rejected(self, reason: str, result_id: int | None = None) -> None:
        self._insert("rejected_rows", {"_digest": f"{reason}{result_id}", "id": result_id, "reason": reason})

    def change(self, at: str, agent: int | None = 1, note: str | None = None) -> None:
        line = self.row("select count(*) + 2 from cekura.changes")[0]
        self._insert("changes", {"line": line, "agent_id": agent, "changed_at": at, "note": note})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.sql(sql).fetchall()

    def answer(self, query: str) -> list[dict[str, Any]]:
        answer = self.con.sql(query)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]

    def row(self, sql: str) -> tuple[Any, ...]:
        (row,) = self.rows(sql)
        return row

    def insert_all(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Many rows at once, all with the same columns; times as texts."""
        given = pa.Table.from_pylist(rows)  # noqa: F841 - DuckDB finds it by name
        self.con.execute(f"insert into cekura.{table} by name select * from given")

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        marks = ", ".join("?" for _ in row)
        self.con.execute(f"insert into cekura.{table} ({', '.join(row)}) values ({marks})", [*row.values()])
