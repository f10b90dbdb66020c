"""The least that anybody would write: httpx with eight requests in flight, DuckDB's read_json into two tables. No checks.

python bare.py URL KEY FILE
"""

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import httpx

url, key, file = sys.argv[1:]


def fetch(page: int) -> bytes:
    params = {"page": page, "page_size": 200}
    return client.get("/test_framework/v1/results/", params=params).raise_for_status().content


with httpx.Client(base_url=url, headers={"X-CEKURA-API-KEY": key}, timeout=30) as client:
    first = fetch(1)
    pages = -(-json.loads(first)["count"] // 200)
    with ThreadPoolExecutor(8) as pool:
        bodies = [first, *pool.map(fetch, range(2, pages + 1))]

with tempfile.TemporaryDirectory() as folder, duckdb.connect(file) as con:
    for number, body in enumerate(bodies):
        (Path(folder) / f"{number}.json").write_bytes(body)
    con.execute(
        f"""
        create temp table pages as
        select unnest(results, recursive := false) as result
        from read_json('{folder}/*.json', maximum_object_size = 100000000)
        """
    )
    con.execute("create or replace table results as select result.* from pages")
    con.execute(
        "create or replace table runs as select id as result_id, unnest(runs, recursive := true) from results"
    )
    con.execute("alter table results drop column runs")
