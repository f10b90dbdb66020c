"""Checks a shared engine: the connection, the rights of the user, and the warehouse in it."""

from collections.abc import Iterator
from pathlib import Path

from cekura_sync.doctor import warehouse
from cekura_sync.doctor.finding import Finding, ok, warning
from cekura_sync.errors import WarehouseError
from cekura_sync.temporary import temporary_folder
from cekura_sync.warehouse.postgres import open_engine
from cekura_sync.warehouse.status import status_of


def examine(name: str) -> Iterator[Finding]:
    """Raises SettingsError or WarehouseError where a sync would."""
    engine = open_engine(name)
    state = engine.state()
    yield ok("engine", f"{engine.name} can be reached: {name} {state.version}.")
    if not state.may_create:
        raise WarehouseError(
            f"The user {state.user} may not create a schema there, and every sync needs one: grant create on database {state.database} to {state.user}."
        )
    engine.require_ours()
    if state.syncing:
        yield ok("lock", f"A sync is running on {engine.name} right now; another one would exit with 8.")
    else:
        yield ok("lock", "No sync is running.")
    status = status_of(engine.name, engine.last_sync())
    if status.age is None:
        yield warning(
            "sync",
            f"No sync of {engine.name} has completed yet: run `cekura-sync sync --destination {name}`.",
        )
        return
    with temporary_folder() as folder:
        copy = Path(folder, f"{name}.duckdb")
        engine.copy_into(copy)
        yield from warehouse.said(copy, status)
