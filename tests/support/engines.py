"""Other engines for the tests: a PostgreSQL server of our own on loopback, and ClickHouse's engine in this process."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest

from cekura_sync.models import dialects, runner, script
from support.harness import PATIENCE, connect, require_destination

UNPRIVILEGED = "postgres"  # PostgreSQL refuses to run as root; Debian's package brings this user


def _programs() -> Path | None:
    """The newest installed server's programs."""
    on_path = shutil.which("initdb")
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return Path(on_path).parent if on_path else versions[-1] if versions else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a fresh server, stopped and removed afterwards; skips where none is installed."""
    require_destination("psycopg2")
    programs = _programs()
    if programs is None:
        pytest.skip("There is no PostgreSQL server here: install Debian's package postgresql.")
    as_user = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(password := secrets.token_hex(16))
        if as_user:
            shutil.chown(folder, UNPRIVILEGED)
            shutil.chown(folder / "password", UNPRIVILEGED)
        data, port = folder / "data", _free_port()
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "cekura",
                "--pwfile",
                folder / "password",
                "-A",
                "md5",  # for a hundred short sessions; the better method takes its time
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_user,
        )
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    programs / "postgres",
                    "-D",
                    data,
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "-k",
                    folder,
                    "-c",
                    "fsync=off",
                    "-c",
                    "full_page_writes=off",
                    "-c",
                    "autovacuum=off",
                    "-c",
                    "shared_buffers=32MB",
                    "-c",
                    "timezone=Asia/Kolkata",
                    "-c",
                    "jit=off",  # takes longer to compile the views than to run them
                ],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=folder,
                **as_user,
            )
        try:
            address = f"postgresql://cekura:{password}@127.0.0.1:{port}/postgres"
            _wait_for(address, folder / "log")
            yield address
        finally:
            server.terminate()  # waits for clients to leave
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.send_signal(3)  # SIGQUIT: does not
                server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, log: Path) -> None:
    import psycopg2

    until = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg2.connect(address).close()
        except psycopg2.OperationalError:
            if time.monotonic() > until:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return


class PostgreSql:
    """A database, filled from a warehouse, with the views on it."""

    TYPES: ClassVar = {
        "BIGINT": "bigint",
        "VARCHAR": "text",
        "BOOLEAN": "boolean",
        "DOUBLE": "double precision",
        "DATE": "date",
        "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    }

    def __init__(self, address: str) -> None:
        import psycopg2

        self._con = psycopg2.connect(address)
        self._con.autocommit = True
        self._cursor = self._con.cursor()

    def __enter__(self) -> "PostgreSql":
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()

    def take(self, warehouse: Path) -> None:
        from psycopg2.extras import execute_values

        self.execute("create schema cekura")
        for table, columns, rows in _tables(warehouse):
            typed = ", ".join(f'"{name}" {self.TYPES[kind]}' for name, kind in columns.items())
            self.execute(f"create table cekura.{table} ({typed})")
            execute_values(self._cursor, f"insert into cekura.{table} values %s", rows)
        self.execute("analyze")  # or result_trend takes minutes

    def build(self, files: list[runner.Model]) -> None:
        self.execute("create schema analytics")
        for model in runner.in_build_order(files):
            self.execute(f"create view analytics.{model.name} as {dialects.translated(model, 'postgres')}")

    def rows(self, view: str, types: dict[str, str]) -> list[tuple[Any, ...]]:
        """All of them; its columns must have these names and these types."""
        found = self.query(
            "select column_name, data_type from information_schema.columns"
            f" where table_schema = 'analytics' and table_name = '{view}' order by ordinal_position"
        )
        assert dict(found) == {name: self.TYPES[kind] for name, kind in types.items()}
        return self.query(f"select * from analytics.{view}")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        self.execute(sql)
        return self._cursor.fetchall()

    def execute(self, sql: str) -> None:
        self._cursor.execute(sql)


class ClickHouse:
    """The same in ClickHouse's engine. Its integers may be narrower; read back, they must fit ours without loss."""

    TYPES: ClassVar = {
        "BIGINT": "Int64",
        "VARCHAR": "String",
        "BOOLEAN": "Bool",
        "DOUBLE": "Float64",
        "TIMESTAMP WITH TIME ZONE": "DateTime64(6, 'UTC')",
    }
    # What makes its joins, unions and empty sums those of the standard.
    SETTINGS = (
        "join_use_nulls=1",
        "union_default_mode='DISTINCT'",
        "prefer_column_name_to_alias=1",
        "aggregate_functions_null_for_empty=1",
        "cast_keep_nullable=1",
        "session_timezone='UTC'",
    )

    def __init__(self, folder: Path) -> None:
        from chdb import session

        self._folder = folder
        self._session = session.Session(str(folder / "data"))
        for setting in self.SETTINGS:
            self._session.query(f"set {setting}")

    def close(self) -> None:
        self._session.close()

    def take(self, warehouse: Path) -> None:
        self._session.query("create database cekura")
        with connect(warehouse) as con:
            for table, columns, _ in _tables(warehouse):
                typed = ", ".join(f'"{name}" Nullable({self.TYPES[kind]})' for name, kind in columns.items())
                self._session.query(f"create table cekura.{table} ({typed}) engine=Memory")
                file = self._folder / f"{table}.parquet"
                con.sql(f"select * from cekura.{table}").write_parquet(str(file))
                self._session.query(f"insert into cekura.{table} select * from file('{file}')")

    def build(self, files: list[runner.Model]) -> None:
        """By the script that the command prints, which holds them all."""
        for statement in script.script("clickhouse", "analytics", "cekura"):
            self._session.query(statement)

    def rows(self, view: str, types: dict[str, str]) -> list[tuple[Any, ...]]:
        file = self._folder / f"view_{view}.parquet"
        self._session.query(f"select * from analytics.{view} into outfile '{file}' format Parquet")
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            columns = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in types.items())
            return con.sql(f"select {columns} from '{file}'").fetchall()


@contextmanager
def clickhouse_engine() -> Iterator[ClickHouse]:
    require_destination("chdb")
    with tempfile.TemporaryDirectory(prefix="clickhouse-") as name:
        engine = ClickHouse(Path(name))
        try:
            yield engine
        finally:
            engine.close()


def _tables(warehouse: Path) -> Iterator[tuple[str, dict[str, str], list[tuple[Any, ...]]]]:
    """What the views select from: each table's columns with their types, and its rows."""
    with connect(warehouse) as con:
        names = con.execute(
            "select table_name from duckdb_tables() where schema_name = 'cekura' and not starts_with(table_name, '_')"
        ).fetchall()
        for (name,) in names:
            table = con.sql(f"select * from cekura.{name}")
            yield name, dict(zip(table.columns, map(str, table.types), strict=True)), table.fetchall()


def comparable(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """In one order; moments in UTC, and fractions as far as two ways to compute them agree."""

    def value(it: Any) -> Any:
        if isinstance(it, datetime):
            return it.astimezone(UTC)
        return round(it, 9) if isinstance(it, float) else it

    return sorted(
        (tuple(map(value, row)) for row in rows), key=lambda row: [(it is None, str(it)) for it in row]
    )
