"""Put on PYTHONPATH by test_kill.py: Python imports it at its start, and it stops the program at a point given from outside.

A point is `file:N` (before the N-th change to a file of the warehouse), `file:EVENT NAME` (before that change, as in
`file:os.rename commit.json`), `statement:N` (before the N-th SQL statement that dlt runs, or that PostgreSQL gets),
`statement:TEXT` (before the first that begins so; `after statement:TEXT`, after it), `table NAME` with `before` or `after`
(the commit of a Delta table), `table NAME alone` (after its commit, or its merge in SQL, while all other tables are kept
waiting: dlt loads them at the same time), or a name of `FUNCTIONS` with `before` or `after`. CEKURA_TEST_SIGNAL is what
happens there; CEKURA_TEST_DISCONNECT, where it is set, instead ends all sessions of the database. CEKURA_TEST_RECORD is a
file that gets the points that were passed, each with its time. CEKURA_TEST_BATCH_ROWS is how many rows a sync
compares at a time, CEKURA_TEST_BATCH_SECONDS how long it lets them wait.
"""

import contextlib
import functools
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

POINT = os.environ.get("CEKURA_TEST_POINT", "")
SIGNAL = int(os.environ.get("CEKURA_TEST_SIGNAL", signal.SIGKILL))
DISCONNECT = os.environ.get("CEKURA_TEST_DISCONNECT")
RECORD = os.environ.get("CEKURA_TEST_RECORD")
BATCH = {name: os.environ.get(f"CEKURA_TEST_{name}") for name in ("BATCH_ROWS", "BATCH_SECONDS")}
FOLDER = str(Path(os.environ.get("CEKURA_WAREHOUSE", "/nowhere/warehouse")).parent)
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.copyfile", "shutil.rmtree")
FUNCTIONS = {
    "take": "cekura_sync.diff.compare:Comparison.take",
    "extract": "dlt.pipeline.pipeline:Pipeline.extract",
    "normalize": "dlt.pipeline.pipeline:Pipeline.normalize",
    "load": "dlt.pipeline.pipeline:Pipeline.load",
    "build": "cekura_sync.warehouse.file:Copy.build_views",
    "check": "cekura_sync.warehouse.file:Copy.findings",
    "commit": "cekura_sync.warehouse.swap:Swap.commit",
    "copy": "cekura_sync.warehouse.swap:Swap._copy_to_fresh",
    "outcome": "cekura_sync.console.terminal:print_outcome",
}

counts = {"file": 0, "statement": 0, "logged": 0}


def reach(*names: str) -> None:
    if RECORD:
        with contextlib.suppress(OSError):
            descriptor = os.open(RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(descriptor, f"{time.time()} {names[-1]}\n".encode())
            os.close(descriptor)
    by_beginning = "statement:" in POINT
    if any(name == POINT or (by_beginning and name.startswith(POINT)) for name in names):
        if DISCONNECT:
            disconnect()
        else:
            os.kill(os.getpid(), SIGNAL)


def disconnect() -> None:
    global POINT
    import psycopg2

    POINT = ""
    with psycopg2.connect(os.environ["DESTINATION__POSTGRES__CREDENTIALS"]) as con, con.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if not writing and event not in WRITES:
        return
    path = arguments[1] if event == "shutil.copyfile" else arguments[0]
    if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(FOLDER) and path != RECORD:
        counts["file"] += 1
        name = re.sub(r"\.new\.[0-9a-f]{16}$", ".new", Path(path).name)  # what is random in it
        reach(f"file:{counts['file']}", f"file:{event} {name}")


def around(name: str, function: Any) -> Any:
    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        reach(f"before {name}")
        result = function(*arguments, **options)
        reach(f"after {name}")
        return result

    return wrapped


def around_a_table(function: Any) -> Any:
    @functools.wraps(function)
    def wrapped(self: Any) -> None:
        name = f"table {self.load_table_name}"
        alone = f"{name} alone"
        if POINT.endswith(" alone") and alone != POINT:
            threading.Event().wait()
        reach(f"before {name}")
        function(self)
        reach(alone, f"after {name}")

    return wrapped


def before_each_statement(function: Any) -> Any:
    @functools.wraps(function)
    def wrapped(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        counts["statement"] += 1
        reach(f"statement:{counts['statement']}", f"statement:{' '.join(str(query).split())[:90]}")
        return function(self, query, *arguments, **options)

    return wrapped


def wrap() -> None:
    """Loads what the program would load later; only a point inside needs it."""
    import importlib.util

    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    for name, target in FUNCTIONS.items():
        module, _, path = target.partition(":")
        *owners, attribute = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, attribute, around(name, getattr(owner, attribute)))
    if importlib.util.find_spec("deltalake"):
        from dlt.destinations.impl.filesystem.filesystem import DeltaLoadFilesystemJob

        DeltaLoadFilesystemJob.run = around_a_table(DeltaLoadFilesystemJob.run)
    if POINT.endswith(" alone"):
        from dlt.destinations.job_client_impl import SqlLoadJob

        SqlLoadJob.run = around_a_table(SqlLoadJob.run)
    DuckDbSqlClient.execute_query = before_each_statement(DuckDbSqlClient.execute_query)
    if os.environ.get("CEKURA_DESTINATION") == "postgres":
        wrap_postgres()


def wrap_postgres() -> None:
    import psycopg2
    from psycopg2.extensions import cursor

    class Watched(cursor):
        def execute(self, query: Any, values: Any = None) -> None:
            text = " ".join((query if isinstance(query, str) else query.as_string(self)).split())[:90]
            counts["statement"] += 1
            counts["logged"] += text.startswith("insert into cekura.sync_log")
            if text == "commit" and counts["logged"]:
                text = "commit of the sync"  # the others are of its preparations
            reach(f"statement:{counts['statement']}", f"statement:{text}")
            super().execute(query, values)
            reach(f"after statement:{text}")

    psycopg2.connect = functools.partial(psycopg2.connect, cursor_factory=Watched)


if POINT or RECORD:
    sys.addaudithook(watch)
    if RECORD or not POINT.startswith("file:"):
        wrap()
for name, value in BATCH.items():
    if value:
        from cekura_sync.diff import scan

        setattr(scan, name, int(value))
