"""Answers a question from the warehouse: the queries of sql/gate, each as a list of rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from cekura_sync.api.forms import identity
from cekura_sync.api.json_values import bigint
from cekura_sync.api.times import microseconds
from cekura_sync.database import as_dicts, column_list
from cekura_sync.diff.changeset import BY_ID
from cekura_sync.diff.detail_changes import REASON
from cekura_sync.diff.said import own_field, own_id
from cekura_sync.errors import SettingsError
from cekura_sync.gate.question import Question
from cekura_sync.models import runner
from cekura_sync.warehouse import reader

Row = dict[str, Any]

WORSE, PASSED, UNDECIDED = "worse", "passed", "cannot be judged"
# Each is a temporary table under the name of its file; later ones select from earlier ones.
_TABLES = ("chosen", "sides", "judged_runs", "judged_scenarios", "judged_agents", "scenarios_to_look_at")
_ASKED = {
    "comparison": "bigint",
    "agent_id": "bigint",
    "by_result": "boolean",
    "judged_since": "timestamptz",
    "newest": "bigint",
    "version": "varchar",
    "metric": "varchar",
    "baseline_seconds": "double",
    "waits_since": "timestamptz",
    "max_drop": "double",
    "min_pass_rate": "double",
    "must_show": "double",
}


@dataclass(frozen=True)
class Agent:
    """One agent's judgement: `figures` is its row of sql/gate/judged_agents.sql, `scenarios` are those to look at, the worst first.

    `versions` are the rows of sql/gate/versions.sql, and empty unless a version was asked for.
    """

    figures: Row
    scenarios: list[Row]
    versions: list[Row]

    @property
    def outcome(self) -> str:
        return str(self.figures["outcome"])

    @property
    def name(self) -> str:
        return self.figures["agent_name"] or f"Agent {self.figures['agent_id']}"


@dataclass(frozen=True)
class Judgement:
    agents: list[Agent]
    unfinished: list[Row]

    @property
    def outcome(self) -> str:
        """The worst of the agents' outcomes."""
        outcomes = {agent.outcome for agent in self.agents}
        return next(outcome for outcome in (WORSE, UNDECIDED, PASSED) if outcome in outcomes)

    def with_outcome(self, outcome: str) -> list[Agent]:
        return [agent for agent in self.agents if agent.outcome == outcome]


def oldest_named(path: Path, question: Question) -> datetime | None:
    """When the oldest of the results that the question names by id was created, as far as the warehouse knows.

    Raises WarehouseError.
    """
    query = "select min(created_at) as oldest from cekura.results where id in (select unnest($1::bigint[]))"
    with reader.open_views(path) as con:
        oldest: datetime | None = con.execute(query, [[*question.result_ids]]).fetchall()[0][0]
    return oldest


def judge(path: Path, question: Question, waits_since: datetime) -> Judgement:
    """`waits_since`: a result in flight for longer is not waited for. Raises SettingsError, WarehouseError."""
    queries = {query.name: query.query for query in runner.read_models(runner.models_dir() / "gate")}
    with reader.open_views(path) as con:
        _ask(con, question, waits_since)
        _find_unstored(con)
        _require_known(_rows(con, queries["unknown"]), question)
        for name in _TABLES:
            con.execute(f"create temp table {name} as {queries[name]}")
        agents = _rows(con, "from judged_agents order by place")
        scenarios = _rows(con, "from scenarios_to_look_at order by comparison, place")
        failed, unfinished = _rows(con, queries["failed_runs"]), _rows(con, queries["unfinished"])
        versions = _rows(con, queries["versions"]) if question.version is not None else []
        if question.metric is not None:
            _require_measured(agents, _rows(con, queries["metrics"]), question.metric)
    for scenario in scenarios:
        scenario["failed_runs"] = [
            {"result_id": run["result_id"], "run_id": run["run_id"]}
            for run in _of(scenario, failed, "comparison", "scenario")
        ]
    return Judgement(
        [
            Agent(agent, _of(agent, scenarios, "comparison"), _of(agent, versions, "comparison"))
            for agent in agents
        ],
        unfinished,
    )


def _ask(con: duckdb.DuckDBPyConnection, question: Question, waits_since: datetime) -> None:
    con.execute(f"create temp table asked ({column_list(_ASKED)})")
    con.execute("create temp table asked_results (result_id bigint)")
    for comparison, agent_id in enumerate(dict.fromkeys(question.agent_ids), start=1):
        values = [
            comparison,
            agent_id,
            bool(question.result_ids),
            question.since,
            question.newest,
            question.version,
            question.metric,
            question.baseline.total_seconds(),
            waits_since,
            question.max_drop,
            question.min_pass_rate,
            question.must_show,
        ]
        con.execute(f"insert into asked values ({', '.join('?' for _ in values)})", values)
    for result_id in sorted(set(question.result_ids)):
        con.execute("insert into asked_results values (?)", [result_id])


def _find_unstored(con: duckdb.DuckDBPyConnection) -> None:
    """Which result each rejected row of the list is, as far as its text tells."""
    query = f"""
        select id, coalesce(raw, ''), seen_at from cekura.rejected_rows
        where not starts_with(reason, '{BY_ID}') and not starts_with(reason, '{REASON}')
    """
    rows = con.execute(query).fetchall()
    con.execute(
        "create temp table unstored as select result_id, agent_id, coalesce(make_timestamptz(created), seen_at) as created_at from ("
        "select unnest($1::bigint[]) as result_id, unnest($2::bigint[]) as agent_id,"
        " unnest($3::bigint[]) as created, unnest($4::timestamptz[]) as seen_at)",
        [
            [id_ for id_, _, _ in rows],
            [bigint(identity(own_id(raw, "agent"))) for _, raw, _ in rows],
            [microseconds(own_field(raw, "created_at")) for _, raw, _ in rows],
            [seen_at for _, _, seen_at in rows],
        ],
    )


def _require_known(unknown: list[Row], question: Question) -> None:
    for row in unknown:
        if row["kind"] == "agent":
            raise SettingsError(
                f"The warehouse has no result of agent {row['id']}: check --agent-id. With --no-sync, sync first."
            )
        agents = ", ".join(map(str, question.agent_ids))
        raise SettingsError(
            f"The warehouse has no result {row['id']} of agent {agents}: check --result-id and --agent-id."
        )


def _require_measured(agents: list[Row], metrics: list[Row], metric: str) -> None:
    """Runs that pass or fail the metric. Raises SettingsError where no agent has any."""
    if any(agent["decided_runs"] or agent["baseline_decided_runs"] for agent in agents):
        return
    names = [str(row["metric_name"]) for row in metrics]
    known = (
        f"these have: {', '.join(names)}"
        if names
        else "no metric of them has; read the details with --details"
    )
    raise SettingsError(f"No run of these agents passes or fails the metric '{metric}': {known}.")


def _of(row: Row, rows: Iterable[Row], *keys: str) -> list[Row]:
    return [other for other in rows if all(other[key] == row[key] for key in keys)]


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    return as_dicts(con.execute(sql))
