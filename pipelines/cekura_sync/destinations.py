"""Engines that a sync can fill, by dlt's names, and what to do for all others."""

from collections.abc import Mapping

from cekura_sync.errors import SettingsError

ENGINES = ("postgres",)
VARIABLE = "CEKURA_DESTINATION"
# dlt's other destinations, which a user's own pipeline can fill.
_OTHERS = (
    "athena",
    "bigquery",
    "clickhouse",
    "databricks",
    "dremio",
    "ducklake",
    "fabric",
    "filesystem",
    "lance",
    "lancedb",
    "motherduck",
    "mssql",
    "qdrant",
    "redshift",
    "snowflake",
    "sqlalchemy",
    "synapse",
    "weaviate",
)
_BY_SQLALCHEMY = ("mysql", "mariadb", "sqlite")
_TABLE_FORMATS = ("delta", "iceberg")


def chosen(options: Mapping[str, object], environ: Mapping[str, str]) -> str | None:
    """The option, else the variable unless an option names a file. None means the file. Raises SettingsError."""
    name, file_given = options.get("destination"), options.get("warehouse") is not None
    if name and file_given:
        raise SettingsError("--warehouse names a file and --destination an engine: choose one of them.")
    if name is None and not file_given:
        name = environ.get(VARIABLE)
    if not name or name in ENGINES:
        return str(name) if name else None
    raise SettingsError(_why_not(str(name)))


def _why_not(name: str) -> str:
    engines = " or ".join(ENGINES)
    if name == "duckdb":
        return "Without --destination, sync fills a DuckDB file: leave it out, and name the file with --warehouse."
    if name == "postgresql":
        return "dlt calls that engine postgres: use --destination postgres."
    if name in _TABLE_FORMATS:
        return f'{name} is a table format, not a destination: load it with `cekura_source` in your own dlt pipeline, into filesystem with table_format="{name}" (see docs/engines.md).'
    if name in _OTHERS:
        return f"sync can keep its promises only in {engines} or a file, not in {name}: load {name} with `cekura_source` in your own dlt pipeline (see docs/engines.md)."
    if name in _BY_SQLALCHEMY:
        return f"sync can keep its promises only in {engines} or a file, not in {name}: load {name} with `cekura_source` in your own dlt pipeline, whose destination is sqlalchemy (see docs/engines.md)."
    return f"'{name}' is not a destination: use --destination {engines}, or leave it out for a file."
