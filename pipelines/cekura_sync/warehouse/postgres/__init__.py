"""A warehouse in a database that others share. What the swap does for a file, one transaction does here.

dlt loads what has changed into a schema of this sync's own. Then the session that holds the lock merges it, builds and
checks the views and writes the log, and commits all of it at once: a sync that is killed earlier has changed nothing.

warehouse.py    the engine as a sync and the other commands see it
transaction.py  the steps of a sync inside its transaction
access.py       the credentials, judged and kept out of messages
connection.py   dlt's pipeline, the lock, and errors as WarehouseError
session.py      statements on one connection
staging.py      dlt's destination, which hands its merges over instead of running them
ownership.py    which objects there are ours; no other one is touched
lookup.py       brings into a comparison what the engine holds of the results that are asked about
mirror.py       a copy in DuckDB of what the engine holds
indexes.py      the indexes that these need
views.py        the files of sql/ as views of the engine
"""

from typing import TYPE_CHECKING

from cekura_sync.errors import SettingsError

if TYPE_CHECKING:
    from cekura_sync.warehouse.postgres.warehouse import Engine


def open_engine(name: str) -> "Engine":
    """Imports the driver, which the file does without. Raises SettingsError where it is not installed."""
    try:
        from cekura_sync.warehouse.postgres.warehouse import Engine
    except ModuleNotFoundError as error:
        if error.name != "psycopg2":
            raise
        raise SettingsError(
            f"The driver of {name} is not installed: type `pip install '.[{name}]'` in a checkout of cekura-sync."
        ) from error
    return Engine(name)
