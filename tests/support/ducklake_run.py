"""Runs in an environment with DuckLake (`make destinations`), not in ours: fills a lake with `cekura_source`.

Arguments: a folder, the key, the API's address. On stdin, each line is a word: `quick` and `full` are runs, answered with the
number of rows that were loaded into each table; `views` makes the views, writes them and the tables as Parquet into the folder
`out`, and is answered with the names of the views.
"""

import json
import sys
from pathlib import Path

import dlt
import duckdb
import duckdb_extension_ducklake
from dlt.destinations.impl.ducklake.configuration import DuckLakeCredentials

from cekura_sync import cekura_source, cekura_views

folder, key, url = Path(sys.argv[1]), *sys.argv[2:]
(extension,) = Path(duckdb_extension_ducklake.__file__).parent.glob("extensions/*/ducklake.duckdb_extension")
with duckdb.connect() as con:
    con.execute(f"install '{extension}'")
lake = DuckLakeCredentials("lake", catalog=f"duckdb:///{folder}/catalog", storage=str(folder / "files"))
pipeline = dlt.pipeline(
    "their-own",
    destination=dlt.destinations.ducklake(lake),
    dataset_name="raw",
    pipelines_dir=str(folder / "state"),
)


def run(*, full: bool) -> dict[str, int]:
    pipeline.run(cekura_source(key, url, full=full))
    return {table: rows for table, rows in pipeline.last_trace.last_normalize_info.row_counts.items() if rows}


def views() -> list[str]:
    made = cekura_views(pipeline)
    with pipeline.sql_client() as client:
        names = client.execute_sql(
            "select table_schema, table_name from information_schema.tables where table_schema in ('raw', 'analytics')"
        )
        for schema, name in names or ():
            (folder / "out" / schema).mkdir(parents=True, exist_ok=True)
            client.execute_sql(
                f"copy (from {schema}.{name}) to '{folder}/out/{schema}/{name}.parquet' (format parquet)"
            )
    return made


for line in sys.stdin:
    word = line.strip()
    print(json.dumps(views() if word == "views" else run(full=word == "full")), flush=True)
