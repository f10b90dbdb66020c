"""A warehouse in an engine that others share, filled by dlt. What the swap gives to a file is given here by order and a note.

A note (`cekura._unfinished`) stands for as long as a load runs: who finds one trusts no digest, reads everything of that
scope, compares it by content, and so repairs whatever was left. Log and note are written last, together.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.providers import EnvironProvider, SecretsTomlProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.exceptions import DltException, MissingDependencyException

from cekura_sync import dialects, history, loading, models, team_changes, upgrade
from cekura_sync.changeset import Changeset, open_base
from cekura_sync.database import first_line, quoted
from cekura_sync.errors import CekuraSyncError, ModelError, SettingsError, WarehouseBusy, WarehouseError
from cekura_sync.loading import DATASET
from cekura_sync.outcome import Outcome, Progress
from cekura_sync.team_changes import Noted

if TYPE_CHECKING:
    import duckdb
    from dlt.common.configuration.providers.provider import ConfigProvider
    from dlt.destinations.sql_client import SqlClientBase

APPLICATION = f"cekura-sync {DATASET}"  # how the engine's list of sessions calls us
MIRRORED = (
    "results",
    "runs",
    "result_scenarios",
    "rejected_rows",
    "_fields",
    "_watermarks",
    "sync_log",
    "changes",
)
FETCHED_ROWS = 20_000  # at a time
GONE_WITHIN = 10.0  # seconds for the sessions of a killed sync to end
_NOT_OURS_TO_COMPARE = {"_removed", "_dlt_id", "_dlt_load_id"}


class Engine:
    """The schemas `cekura` and `analytics` of one database."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self.name = f"{destination}:{DATASET}"
        self._client: SqlClientBase[Any]
        self._driver_error: type[Exception] = DltException  # until the driver is there
        self._columns: dict[str, list[str]] = {}  # of our tables

    # -- opening --------------------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other sync away for as long as the session lasts. Raises WarehouseBusy."""
        with self._connected(APPLICATION):
            self._lock()
            self._end_sessions_of_the_dead()
            self._look()
            yield

    @contextmanager
    def observed(self) -> Iterator[None]:
        """For a dry run: writes nothing and keeps nobody out."""
        with self._connected(f"{APPLICATION} dry run"):
            self._look()
            yield

    @contextmanager
    def _connected(self, application: str) -> Iterator[None]:
        os.environ["PGAPPNAME"] = application
        Container()[PluggableRunContext] = PluggableRunContext(_WithCredentials("."))
        with self._errors(), tempfile.TemporaryDirectory(prefix="cekura-sync-") as folder:
            self._pipeline = loading.pipeline_into(dlt.destinations.postgres(), Path(folder))
            client = self._pipeline.sql_client()
            self._driver_error = client.dbapi.Error  # type: ignore[attr-defined]
            with client as self._client:
                self._run("set timezone = 'UTC'")
                self._run("set jit = off")  # compiling the views takes longer than running them
                yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What dlt and the driver raise, as ours; both tell the user's name, neither the password."""
        try:
            yield
        except CekuraSyncError:
            raise
        except MissingDependencyException as error:
            raise SettingsError(
                f"The driver of {self._destination} is not installed: pip install 'cekura-sync[{self._destination}]'."
            ) from error
        except ConfigurationException as error:
            raise SettingsError(
                f"There are no credentials for {self._destination}: set DESTINATION__{self._destination.upper()}__CREDENTIALS, or write them into .dlt/secrets.toml."
            ) from error
        except (DltException, self._driver_error) as error:
            cause: BaseException = error
            while earlier := cause.__cause__ or cause.__context__:
                cause = earlier
            raise WarehouseError(
                f"{self.name} does not let us work: {first_line(cause)}. Mend that and sync again; what was cut short is repaired then."
            ) from error

    def _lock(self) -> None:
        if not self._value("select pg_try_advisory_lock(hashtext(%s))", APPLICATION):
            raise WarehouseBusy(f"Another sync is running on {self.name}: wait for it.")

    def _end_sessions_of_the_dead(self) -> None:
        """The engine may still be busy with what a killed sync had asked for; under our lock nobody else is at work."""
        until = time.monotonic() + GONE_WITHIN
        while self._rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = %s and datname = current_database() and pid <> pg_backend_pid()",
            APPLICATION,
        ):
            if time.monotonic() > until:
                raise WarehouseBusy(
                    f"Sessions of an earlier sync on {self.name} do not end: end them, or wait."
                )
            time.sleep(0.05)

    def _look(self) -> None:
        self._columns = {}
        for table, column in self._rows(
            "select table_name, column_name from information_schema.columns where table_schema = %s order by ordinal_position",
            DATASET,
        ):
            self._columns.setdefault(table, []).append(column)

    # -- what is known --------------------------------------------------------------------------------------------

    def known(self) -> "duckdb.DuckDBPyConnection":
        """A copy of it in memory, to compare in."""
        con = open_base(None)
        con.execute(f"create table base.cekura.changes ({team_changes.COLUMNS})")
        for table in MIRRORED:
            self._mirror(con, table)
        if self._unfinished():
            # What was cut short may have written anything: only a full reading, compared by content, tells.
            con.execute("update base.cekura.results set _digest = null")
            con.execute("update base.cekura.sync_log set mode = 'unfinished'")
        return con

    def _mirror(self, con: "duckdb.DuckDBPyConnection", table: str) -> None:
        columns = [name for name in self._columns.get(table, []) if name not in _NOT_OURS_TO_COMPARE]
        if not columns:
            return
        for name in columns:
            con.execute(f"alter table base.cekura.{table} add column if not exists {quoted(name)} varchar")
        query = f"select {', '.join(map(quoted, columns))} from {DATASET}.{table}"
        with self._client.execute_query(query) as cursor:
            while rows := cursor.fetchmany(FETCHED_ROWS):
                batch = pa.table([pa.array(values) for values in zip(*rows, strict=True)], names=columns)  # noqa: F841 - DuckDB finds it by name
                con.execute(f"insert into base.cekura.{table} by name select * from batch")

    def _unfinished(self) -> Sequence[Any]:
        return (
            self._rows(f"select scope from {DATASET}._unfinished") if "_unfinished" in self._columns else []
        )

    def pending_log(self) -> list[dict[str, Any]]:
        """None: here every sync is in `sync_log`."""
        return []

    # -- writing --------------------------------------------------------------------------------------------------

    def write(self, changes: Changeset, noted: Noted | None, outcome: Outcome, progress: Progress) -> Outcome:
        """Load, build the views, and write last that it was done."""
        scope = json.dumps(outcome.scope)
        first = "results" not in self._columns
        if outcome.changed or first:
            self._begin(scope)
            loading.run(
                self._pipeline, changes, scope, outcome.watermark, first=first, file_format="insert_values"
            )
            self._tidy()
        self._complete(noted)
        outcome = outcome.finished_now()
        progress.swapping()
        with self._client.begin_transaction():
            self._log(outcome.log_entry())
            if "_unfinished" in self._columns or outcome.changed or first:
                self._run(f"delete from {DATASET}._unfinished where scope = %s or %s = '{{}}'", scope, scope)
        return outcome

    def _begin(self, scope: str) -> None:
        self._run(f"create schema if not exists {DATASET}")
        self._run(f"create table if not exists {DATASET}._unfinished (scope text, started_at timestamptz)")
        self._run(f"insert into {DATASET}._unfinished values (%s, now())", scope)

    def _tidy(self) -> None:
        self._run(f"drop schema if exists {DATASET}_staging cascade")
        for statement in loading.PRUNING:
            self._run(statement)

    def _complete(self, noted: Noted | None) -> None:
        """Everything that the views select from, and the views. Raises ModelError."""
        for statement in (*upgrade.STATEMENTS, *history.STATEMENTS):
            self._run(dialects.in_words_of(self._destination, statement))
        if noted is not None:
            with self._client.begin_transaction():
                self._run(f"delete from {DATASET}.changes")
                for line, agent_id, moment, note in noted.changes:
                    self._run(
                        f"insert into {DATASET}.changes values (%s, %s, to_timestamp(0) + %s * interval '1 microsecond', %s)",
                        line,
                        agent_id,
                        moment,
                        note,
                    )
        for table in ("results", "runs"):
            self._run(f"analyze {DATASET}.{table}")  # or the views are planned as if it were empty
        self._build()
        self._check()

    def _build(self) -> None:
        """Views whose text is the same stay: somebody may have built on them."""
        files = models.in_build_order(models.read_models(models.models_dir()))
        statements = []
        for model in files:
            query = dialects.translated(model, self._destination)
            statements += [f"create view {models.SCHEMA}.{model.name} as {query}", models.comments(model)]
        text = md5("\n".join(statements).encode(), usedforsecurity=False).hexdigest()
        built = f"comment on schema {models.SCHEMA} is 'cekura-sync {text}'"
        if self._value("select obj_description(to_regnamespace(%s))", models.SCHEMA) == f"cekura-sync {text}":
            return
        with self._client.begin_transaction():
            self._run(f"create schema if not exists {models.SCHEMA}")
            views = self._rows(
                "select table_name from information_schema.views where table_schema = %s", models.SCHEMA
            )
            if views:
                self._run(f"drop view {', '.join(f'{models.SCHEMA}.{quoted(name)}' for (name,) in views)}")
            for statement in [*statements, built]:
                self._run(statement)

    def _check(self) -> None:
        for model in models.read_models(models.models_dir() / "checks"):
            wrong = self._rows(dialects.translated(model, self._destination))
            if wrong:
                raise ModelError(
                    f"The check {model.name} finds {len(wrong)} wrong rows in {self.name}, such as {wrong[0]}: {model.meaning} The sync does not count; mend sql/, or report it."
                )

    def _log(self, entry: dict[str, Any]) -> None:
        generation = self._value(f"select coalesce(max(generation), 0) + 1 from {DATASET}.sync_log")
        values = [(entry | {"generation": generation}).get(name) for name in history.LOG]
        marks = ", ".join(["%s"] * len(values))
        self._run(f"insert into {DATASET}.sync_log ({', '.join(history.LOG)}) values ({marks})", *values)
        self._run(history.THINNED.format(days=history.LOG_WHOLE_FOR.days))

    # -- asking ---------------------------------------------------------------------------------------------------

    def _run(self, sql: str, *values: object) -> None:
        self._client.execute_sql(sql, *values)

    def _rows(self, sql: str, *values: object) -> Sequence[Any]:
        return self._client.execute_sql(sql, *values) or []

    def _value(self, sql: str, *values: object) -> Any:
        return self._rows(sql, *values)[0][0]


class _WithCredentials(loading.Alone):
    """Of the place where a sync happens to run, dlt hears the credentials of destinations, and nothing else."""

    def initial_providers(self) -> "list[ConfigProvider]":
        return [_Variables(), _Secrets(self.settings_dir, self.global_dir), *super().initial_providers()]


class _Variables(EnvironProvider):
    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        if sections[:1] != ("destination",):
            return None, key
        return super().get_value(key, hint, pipeline_name or "", *sections)


class _Secrets(SecretsTomlProvider):
    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        if sections[:1] != ("destination",):
            return None, key
        return super().get_value(key, hint, pipeline_name or "", *sections)
