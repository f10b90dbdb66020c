"""A warehouse file made of rows that a test wrote, as a sync would have published it."""

from pathlib import Path

import duckdb

from cekura_sync.models import runner
from cekura_sync.warehouse import identity
from support.base import Base


def publish(base: Base, path: Path) -> None:
    base.con.execute(f"attach '{path}' as written (storage_version 'v1.0.0')")
    base.con.execute("copy from database memory to written")
    base.con.execute("detach written")
    with duckdb.connect(str(path)) as con:
        identity.write(con, generation=1)
        runner.build(con)
