"""Checks what is installed, and the config file of the vendor's command line."""

import stat
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from cekura_sync import __version__
from cekura_sync.doctor.finding import Finding, ok, warning
from cekura_sync.errors import SettingsError
from cekura_sync.settings import vendor

TESTED = ((3, 11), (3, 14))


def versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield ok(
        "versions",
        f"cekura-sync {__version__}, Python {python}, DuckDB {version('duckdb')}, dlt {version('dlt')}.",
    )
    if not TESTED[0] <= sys.version_info[:2] <= TESTED[1]:
        oldest, newest = (".".join(map(str, tested)) for tested in TESTED)
        yield warning(
            "versions", f"Python {python} is not a tested version: install with Python {oldest} to {newest}."
        )


def vendor_file(options: Mapping[str, object]) -> Iterator[Finding]:
    try:
        found = vendor.read()
    except SettingsError as error:
        if not vendor.is_needed(options):  # otherwise the settings report it
            yield warning("vendor file", f"{error} With the current environment, no sync reads it.")
        return
    if not found:
        return
    path = vendor.path()
    yield ok(
        "vendor file",
        f"{path} supplies {', '.join(sorted(found))}, unless an option or the environment does.",
    )
    if {"api_key", "access_token"} & found.keys() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield warning(
            "vendor file", f"{path} holds a key or a login, and others may read it: chmod 600 {path}."
        )
