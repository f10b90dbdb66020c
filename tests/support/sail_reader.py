"""Runs in an environment with Sail (`make destinations`), not in ours: reads a lake's Delta tables and writes each of our views as Parquet.

Arguments: the folder of the tables, a script of temporary views, the folder to write to.
"""

import os
import sys
from pathlib import Path

from pyarrow import parquet
from pysail.spark import SparkConnectServer

lake, script, out = map(Path, sys.argv[1:])
server = SparkConnectServer(port=0)
server.start(background=True)
_, port = server.listening_address

from pyspark.sql import SparkSession  # noqa: E402 - it needs the server

spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")
spark.conf.set("spark.sql.ansi.enabled", "false")
for folder in lake.iterdir():
    if (folder / "_delta_log").is_dir():
        spark.read.format("delta").load(str(folder)).createOrReplaceTempView(f"raw_{folder.name}")
lines = [line for line in script.read_text().splitlines() if not line.startswith("--")]
for statement in "\n".join(lines).split(";\n"):
    if not statement.strip():
        continue
    spark.sql(statement.strip().rstrip(";"))
    view = statement.split()[5]
    parquet.write_table(spark.table(view).toArrow(), out / f"{view.removeprefix('analytics_')}.parquet")
sys.stdout.flush()
os._exit(0)  # the server's threads would go on
