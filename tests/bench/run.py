"""`make bench`: whole processes against the stand-in API, as ratios to the baselines beside this file.

    python run.py [--results N] [--runs N] [CASE ...]

Every figure is the median of several runs; the commands of a case take turns, so that a machine that slows down slows all.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers of the tests

from large import Large
from measure import Bench, Medians, Runner, line

from cekura_sync.sandbox import Answer, Request, Sandbox, World

LATENCY = 0.05  # seconds
LARGE = int(os.environ.get("CEKURA_BENCH_LARGE", "1000000"))  # results
LARGE_IN_POSTGRES = int(os.environ.get("CEKURA_BENCH_POSTGRES", "200000"))


def first(bench: Bench) -> None:
    """First sync, with and without latency, against the bare script and dlt's own source."""
    for latency, limit in (
        (LATENCY, "wall 1.3, cpu 1.6, 320 MB; rest_api 6 × slower"),
        (0.0, "wall 1.6"),
    ):
        bench.sandbox.latency = latency
        commands = {"ours": bench.ours("ours.duckdb"), "bare": bench.bare("bare.duckdb")}
        medians = bench.compare(commands, bench.forget)
        if latency:
            medians |= bench.compare({"rest_api": bench.rest_api("rest.duckdb")}, bench.forget, runs=1)
        show(f"first sync, {latency * 1000:.0f} ms", medians, "bare", limit)


def nothing(bench: Bench) -> None:
    """Nothing new: what a scheduled sync nearly always finds."""
    for latency in (0.0, LATENCY):
        bench.sandbox.latency = latency
        bench.forget()
        bench.run(bench.ours("ours.duckdb"))
        imports = [sys.executable, "-c", "import click, duckdb, httpx"]
        medians = bench.compare({"ours": bench.ours("ours.duckdb"), "imports": imports})
        limit = "3 requests" if latency else "wall 1.5 × imports + 0.15 s"
        show(f"nothing new, {latency * 1000:.0f} ms", medians, "imports", limit)


def changes(bench: Bench) -> None:
    """50 new results and 200 old edits, found by a full sync."""
    bench.sandbox.latency = LATENCY
    bench.forget()
    bench.run(bench.ours("ours.duckdb"))
    bring_back = bench.snapshot()
    world = bench.sandbox.world
    world.insert(50)
    for number, id_ in enumerate(sorted(world.results)[:200]):
        world.edit(id_, name=f"edited {number}")
    bench.sandbox.warm()
    commands = {"ours": bench.ours("ours.duckdb", "--full"), "bare": bench.bare("bare.duckdb")}
    show("50 new, 200 edited, full", bench.compare(commands, bring_back), "bare", "wall 1.5")


def starts(bench: Bench) -> None:
    """Commands that a person waits for."""
    bench.sandbox.latency = 0.0
    bench.forget()
    bench.run(bench.ours("ours.duckdb"))
    command = [sys.executable, "-m", "cekura_sync"]
    commands = {
        "--help": [*command, "--help"],
        "status": [*command, "status", "--warehouse", "ours.duckdb"],
        "python": [sys.executable, "-c", "pass"],
    }
    show("start", bench.compare(commands), "python", "0.3 s")


def limited(bench: Bench) -> None:
    """An API that takes ten requests a second: eight at a time against one at a time."""
    bench.sandbox.latency = LATENCY
    bench.sandbox.intercept = a_second(10)
    options = ("--page-size", "100")
    commands = {
        "8": bench.ours("ours.duckdb", *options),
        "1": bench.ours("ours.duckdb", *options, "--concurrency", "1"),
    }
    try:
        show("10 requests a second", bench.compare(commands, bench.forget, runs=1), "1", "wall 1.3")
    finally:
        bench.sandbox.intercept = None


def large(bench: Bench) -> None:
    """How time and memory grow: 20,000 results, ten times as many, and LARGE, each with five runs."""
    for results in (20_000, 200_000, LARGE):
        with Large(results, runs=5) as account:
            _one_size(Bench(bench.runner, account, bench.folder, runs=1), account, f"{results:,}")


def _one_size(bench: Bench, account: Large, size: str) -> None:
    ours = {"ours": bench.ours("ours.duckdb")}
    first = bench.compare(ours, bench.forget)["ours"]
    show(f"first sync, {size}", {"ours": first}, "ours", "300, 330, 400 MB")
    account.more(5)
    show(f"five new, {size}", bench.compare(ours), "ours", "1.0, 1.2, 2.0 s; 220 MB")
    show(f"nothing new, {size}", bench.compare(ours), "ours", "")
    full = {"ours": bench.ours("ours.duckdb", "--full")}
    show(f"full, nothing new, {size}", bench.compare(full), "ours", "2.5 CPU s at 200,000, 13 at 1,000,000")
    bench.forget()
    account.limit(first.requests * 9 // 10)
    bench.run(bench.ours("ours.duckdb"), expected=3)
    account.limit(0)
    again = bench.compare(ours)["ours"]
    share = (again.requests - first.requests / 10) / first.requests
    show(f"taken up at 90 %, {size}", {"ours": again}, "ours", f"15 % read again; here {share:.1%}")


def postgres(bench: Bench) -> None:
    """Into a PostgreSQL server that is started for it: 20,000 results, and ten times as many. Its own CPU seconds are not counted."""
    import pytest

    from support.engines import postgres_server

    try:
        with postgres_server() as address:
            for results in (20_000, LARGE_IN_POSTGRES):
                _into_postgres(bench, address, results)
    except pytest.skip.Exception as missing:
        print(missing)


def _into_postgres(bench: Bench, server: str, results: int) -> None:
    from support.engines import PostgreSql

    name, size = f"results_{results}", f"PostgreSQL, {results:,}"
    address = f"{server.rpartition('/')[0]}/{name}"
    environment = {"CEKURA_DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": address}

    def empty() -> None:
        with PostgreSql(server) as admin:
            admin.execute(f"drop database if exists {name} with (force)")
            admin.execute(f"create database {name}")

    with Large(results, runs=10) as account:
        into = Bench(bench.runner, account, bench.folder, bench.runs, environment)
        sync = [sys.executable, "-m", "cekura_sync", "sync", "-q"]
        show(f"first, {size}", into.compare({"ours": sync}, empty, runs=1), "ours", "8 s, 300 MB at 20,000")
        more = into.compare({"ours": sync}, lambda: account.more(3))
        show(f"three new, {size}", more, "ours", "2 s; 3 s at 200,000")
        show(f"nothing new, {size}", into.compare({"ours": sync}), "ours", "0.6 s; 0.9 s at 200,000")
        full = into.compare({"ours": [*sync, "--full"]}, runs=1)
        show(f"full, nothing new, {size}", full, "ours", "")


def a_world(results: int, days: int = 90) -> World:
    return World(results=results, runs_per_result=10, in_flight=0, seed=3, days=days)


def a_second(limit: int) -> Callable[[Request], Answer | None]:
    """Refuses what comes beyond so many requests in a second, and asks for a pause of one."""
    lock, accepted = threading.Lock(), []

    def intercept(request: Request) -> Answer | None:
        with lock:
            accepted[:] = [at for at in accepted if request.at - at < 1]
            if len(accepted) >= limit:
                return Answer(429, b'{"detail": "Request was throttled."}', {"Retry-After": "1"})
            accepted.append(request.at)
            return None

    return intercept


def show(case: str, medians: dict[str, Medians], base: str, limit: str) -> None:
    mine = next(iter(medians))
    for name, figures in medians.items():
        line(case, name, figures, medians[base] if name != base else None, limit if name == mine else "")


CASES = {case.__name__: case for case in (first, nothing, changes, starts, limited, large, postgres)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    arguments = parser.parse_args()
    if unknown := {*arguments.cases} - {*CASES}:
        parser.error(f"there is no case {', '.join(unknown)}")
    print(f"{arguments.results:,} results, medians of {arguments.runs} runs\n")
    print(
        f"{'case':<37} {'command':<10} {'wall s':>7} {'cpu s':>7} {'MB':>7} {'requests':>9} {'wall ×':>6} {'cpu ×':>6}  target"
    )
    with (
        Runner() as runner,
        tempfile.TemporaryDirectory() as folder,
        Sandbox(a_world(arguments.results)) as sandbox,
    ):
        sandbox.warm()
        place = Path(folder) / "work"
        place.mkdir()
        bench = Bench(runner, sandbox, place, arguments.runs)
        for name in arguments.cases or CASES:
            CASES[name](bench)


if __name__ == "__main__":
    main()
