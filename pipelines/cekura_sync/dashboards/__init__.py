"""Ready dashboards: files that a BI tool imports by itself. They show the queries of sql/dashboards.

queries.py          those queries, with the columns of each
charts.py           what Superset draws from them
superset.py         Superset's import file
evidence.py         Evidence's project, with the pages of evidence_project/
files.py            writes files, and never over somebody else's
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from cekura_sync.dashboards import evidence, superset
from cekura_sync.dashboards.files import write

__all__ = ["KINDS", "write"]

# The files of each tool, given the paths of the warehouse and of their folder: their names and contents.
KINDS: Mapping[str, Callable[[Path, Path], Mapping[str, bytes]]] = {
    "superset": superset.files,
    "evidence": evidence.files,
}
