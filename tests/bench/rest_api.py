"""dlt's rest_api source as its documentation shows it, with parquet instead of the default inserts.

python rest_api.py URL KEY FILE PIPELINES_DIR
"""

import os
import sys

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.sources.rest_api import rest_api_source

url, key, file, pipelines_dir = sys.argv[1:]
source = rest_api_source(
    {
        "client": {
            "base_url": f"{url}/test_framework/v1/",
            "headers": {"X-CEKURA-API-KEY": key},
            "paginator": {"type": "json_link", "next_url_path": "next"},
        },
        "resources": [
            {
                "name": "results",
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {
                    "path": "results/",
                    "params": {"page_size": 200},
                    "data_selector": "results",
                    "incremental": {"cursor_path": "updated_at", "initial_value": "2000-01-01T00:00:00Z"},
                },
            }
        ],
    }
)
pipeline = dlt.pipeline(
    "rest_api", destination=dlt.destinations.duckdb(file), dataset_name="cekura", pipelines_dir=pipelines_dir
)
pipeline.run(source, loader_file_format="parquet")
