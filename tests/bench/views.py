"""Times every view over a large warehouse of invented rows, written straight into its tables, against its bound on two cores.

python views.py [--results N] [--runs N]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import duckdb

from cekura_sync import database, tables
from cekura_sync.diff.base import open_base
from cekura_sync.models import runner
from cekura_sync.warehouse import counts

BOUND = 0.5  # seconds for all rows of a view of 1,000,000 results
BOUNDS = {"scenario_flakiness": 2.0}
# A result a minute for two years, and a sync an hour. One run in a hundred has ended without a verdict.
_RESULTS = """
    insert into cekura.results by name
    select
        n as id, 'Nightly ' || n % 40 as name, n % 200 as agent, 'Agent ' || n % 200 as agent_name,
        n % 3 = 0 as agent_inbound, n % 4 = 0 as run_as_text, n % 2 = 0 as is_cronjob,
        case when n % 50 = 0 then 'failed' when n % 77 = 0 then 'cancelled' else 'completed' end as status,
        hash(n) % 11 / 10 as success_rate, $runs as total_runs_count, $runs as completed_runs_count,
        5 as met_expected_outcome_count, 8 as total_expected_outcome_count, true as _runs_known,
        timestamptz '2026-01-01 00:00:00+00' - to_minutes(n) as created_at, created_at as updated_at,
        date_trunc('hour', created_at) + interval '1 hour' as synced_at, synced_at as first_seen_at
    from range($results) as numbers(n)
"""
_CHILDREN = """
    insert into cekura.runs by name
    select id * $runs + n as id, id as result_id, 'completed' as status,
        case when hash(n, id) % 100 > 0 then hash(id, n) % 10 < 7 end as success,
        n + id % 40 as scenario, 'Scenario ' || n + id % 40 as scenario_name
    from cekura.results cross join range($runs) as numbers(n)
"""


def build(path: Path, results: int, runs: int) -> None:
    """`runs`: of each result."""
    database.create(path)
    with open_base(None) as con:
        con.execute(f"attach {database.literal(str(path))} as big")
        con.execute("copy from database base to big")
    with database.connect(path) as con:
        con.execute(_RESULTS, {"results": results, "runs": runs})
        con.execute(_CHILDREN, {"runs": runs})
        tables.complete(con)
        runner.build(con)
        counts.store(con)


class Times(NamedTuple):
    """Seconds: on the clock, and of all cores together."""

    wall: float
    cpu: float


def measure(con: duckdb.DuckDBPyConnection, view: str) -> Times:
    """Medians of five; the hash of whole rows has every column computed and none printed."""
    times = []
    for _ in range(5):
        wall, cpu = time.perf_counter(), time.process_time()
        con.execute(f"select count(*), max(hash(shown)) from analytics.{view} as shown").fetchall()
        times.append(Times(time.perf_counter() - wall, time.process_time() - cpu))
    return Times(*(statistics.median(kind) for kind in zip(*times, strict=True)))


def line(view: str, times: Times) -> str:
    bound = BOUNDS.get(view, BOUND)
    judged = "" if times.wall <= bound else f"  over its {bound} s"
    return f"{view:<32} {times.wall:6.2f} s {times.cpu:6.2f} CPU s{judged}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=10, help="of each result")
    size = parser.parse_args()
    print(
        f"{size.results:,} results, {size.results * size.runs:,} runs; every column of every row, median of 5\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.duckdb"
        build(path, size.results, size.runs)
        with database.connect(path, read_only=True) as con:
            for model in runner.read_models(runner.models_dir()):
                print(line(model.name, measure(con, model.name)), flush=True)


if __name__ == "__main__":
    main()
