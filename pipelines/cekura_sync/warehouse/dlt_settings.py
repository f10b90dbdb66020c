"""Isolates dlt from the surroundings of a sync. Must not import dlt at the top: dlt reads DLT_ variables when imported."""

import os
from functools import cache
from threading import Thread
from types import ModuleType


def isolate() -> None:
    """Call it before anything imports dlt: afterwards no DLT_ variable and no .dlt/ directory has any effect on it."""
    for name in [name for name in os.environ if name.startswith("DLT_")]:
        del os.environ[name]
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # its own keeps much of what has been freed
    from cekura_sync.warehouse import dlt_context

    dlt_context.use(dlt_context.Isolated(os.sep))  # the working directory may be gone


def import_load() -> ModuleType:
    """dlt takes half a second to import; a sync without changes needs none of it."""
    isolate()
    from cekura_sync.warehouse import load

    return load


@cache
def import_in_background() -> None:
    Thread(target=import_load, daemon=True).start()
