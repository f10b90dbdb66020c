"""Shuts dlt off from the surroundings in which a sync happens to run. Imports no dlt, which reads variables when imported."""

import os


def isolate() -> None:
    """Call it before anything imports dlt: no variable and no .dlt/ of that place can stop or steer it afterwards."""
    for name in [name for name in os.environ if name.startswith("DLT_")]:
        del os.environ[name]
    from cekura_sync.warehouse import dlt_context

    dlt_context.use(dlt_context.Isolated("."))


def isolate_all_but_credentials() -> None:
    """The same, but dlt finds the credentials of a destination where it always does."""
    isolate()
    from cekura_sync.warehouse import dlt_context

    dlt_context.use(dlt_context.OnlyCredentials("."))
