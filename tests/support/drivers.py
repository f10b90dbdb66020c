"""The versions of DuckDB that BI tools carry, each in an environment of its own beside the one that runs the tests."""

import os
import sys
from pathlib import Path

import pytest

OURS = "ours"
VERSIONS = ["1.1.3", "1.3.2", "1.4.5"]
ALL = os.environ.get("CEKURA_TEST_READERS") == "all"


def python_with(version: str) -> str:
    """The Python that has this version of DuckDB. Skips the test where it is not installed, or, with ALL, fails it."""
    if version == OURS:
        return sys.executable
    python = Path(sys.prefix, "readers", version, "bin", "python")
    if not python.exists():
        missing = f"There is no driver of DuckDB {version} in {python.parent.parent}: run `make readers`."
        (pytest.fail if ALL else pytest.skip)(missing)
    return str(python)
