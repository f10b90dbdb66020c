"""A hundred accounts on one machine: what a round of syncs costs, and what one warehouse of all of them would.

`python tests/bench/hundred.py [ACCOUNTS] [RESULTS]`; each account is a sandbox of its own; one process
syncs them in turn. The sandboxes live in it too, so that their share of the seconds is counted with ours.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb

from cekura_sync.sandbox import Sandbox, World
from support.engines import PostgreSql, postgres_server
from support.harness import run

ACCOUNTS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
RESULTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
MOVING = 20  # accounts that have something new in the last round
SHARED = 10  # accounts that are synced into PostgreSQL too
TABLES = ("results", "runs", "result_scenarios")
Place = Callable[[int], dict[str, str]]  # an account's settings


def sync(sandbox: Sandbox, place: dict[str, str]) -> None:
    ran = run("sync", "-q", env={"CEKURA_API_KEY": sandbox.key, "CEKURA_API_URL": sandbox.url} | place)
    assert ran.code == 0, ran.err


def round_of(name: str, sandboxes: list[Sandbox], place: Place) -> None:
    for sandbox in sandboxes:
        sandbox.reset_requests()
    began, cpu = time.perf_counter(), time.process_time()
    for number, sandbox in enumerate(sandboxes):
        sync(sandbox, place(number))
    seconds, cpu, number = time.perf_counter() - began, time.process_time() - cpu, len(sandboxes)
    requests = sum(len(sandbox.requests) for sandbox in sandboxes)
    print(
        f"{name}: {number} syncs in {seconds:.0f} s; each {cpu / number:.2f} CPU s, {requests / number:.1f} requests",
        flush=True,
    )


def rounds(name: str, sandboxes: list[Sandbox], place: Place) -> None:
    round_of(f"{name}, first", sandboxes, place)
    round_of(f"{name}, nothing new", sandboxes, place)
    some = sandboxes[:MOVING]
    for sandbox in some:
        sandbox.world.insert(3)
        sandbox.world.finish()
    round_of(f"{name}, three new", some, place)


def merged(folder: Path) -> None:
    """The plan's tables: those of each account, with its number, in one file."""
    began = time.perf_counter()
    with duckdb.connect(str(folder / "all.duckdb")) as con:
        con.execute("set timezone = 'UTC'")
        for number in range(ACCOUNTS):
            con.execute(f"attach '{folder}/{number}.duckdb' as one (read_only)")
            for table in TABLES:
                query = f"select {number} as account, * from one.cekura.{table}"
                con.execute(f"create table if not exists {table} as from ({query}) limit 0")
                con.execute(f"insert into {table} by name {query}")
            con.execute("detach one")
        counts = [con.sql(f"select count(*) from {table}").fetchall()[0][0] for table in TABLES]
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        con.sql(
            "select account, agent, sum(success_rate * total_runs_count) / sum(total_runs_count) from results"
            " where status = 'completed' group by account, agent"
        ).fetchall()
        asked = time.perf_counter() - began
    size = (folder / "all.duckdb").stat().st_size / 2**20
    alone = sum((folder / f"{number}.duckdb").stat().st_size for number in range(ACCOUNTS)) / 2**20
    print(
        f"merged: {dict(zip(TABLES, counts, strict=True))} in {seconds:.1f} s, {size:.0f} MiB (apart: {alone:.0f} MiB);"
        f" a rate per account and agent in {asked * 1000:.0f} ms"
    )


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        worlds = (
            World(results=RESULTS, agents=4, runs_per_result=5, in_flight=2, seed=seed)
            for seed in range(ACCOUNTS)
        )
        sandboxes = [stack.enter_context(Sandbox(world)) for world in worlds]
        rounds("a file each", sandboxes, lambda number: {"CEKURA_WAREHOUSE": f"{folder}/{number}.duckdb"})
        merged(folder)
        address = stack.enter_context(postgres_server())
        with PostgreSql(address) as admin:
            for number in range(SHARED):
                admin.execute(f"create database account_{number}")
        base = address.rpartition("/")[0]
        rounds(
            "PostgreSQL, a database each",
            sandboxes[:SHARED],
            lambda number: {
                "CEKURA_DESTINATION": "postgres",
                "DESTINATION__POSTGRES__CREDENTIALS": f"{base}/account_{number}",
            },
        )


if __name__ == "__main__":
    main()
