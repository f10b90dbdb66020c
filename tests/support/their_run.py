"""A run of `cekura_source` in a pipeline of somebody's. Arguments: duckdb or delta, the folder, the key, the API's address."""

import sys

import dlt

from cekura_sync import cekura_source


def main() -> None:
    kind, folder, key, url = sys.argv[1:]
    into_file = kind == "duckdb"
    destination = (
        dlt.destinations.duckdb(f"{folder}/theirs.duckdb")
        if into_file
        else dlt.destinations.filesystem(f"{folder}/lake")
    )
    pipeline = dlt.pipeline(
        "their-own", destination=destination, dataset_name="raw", pipelines_dir=f"{folder}/state"
    )
    pipeline.run(cekura_source(key, url, full=True), **({} if into_file else {"table_format": kind}))
