"""Where a sync can write besides the file: engines by dlt's names, and what to do about all the others."""

from collections.abc import Mapping

from cekura_sync.errors import SettingsError

ENGINES = ("postgres",)
VARIABLE = "CEKURA_DESTINATION"
# Those of dlt's that a pipeline of one's own can load.
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
    """Option, else environment unless an option names a file; None is the file. Raises SettingsError."""
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
        return "A DuckDB file is what sync fills without --destination: say which one with --warehouse."
    if name == "postgresql":
        return "dlt calls that engine postgres: write --destination postgres."
    if name in _TABLE_FORMATS:
        return f'{name} is a format of tables, not a place: load it with `cekura_source` in a dlt pipeline of your own, into filesystem with table_format="{name}" (see docs/engines.md).'
    if name in _OTHERS:
        return f"sync itself cannot keep its promises in {name}, only in {engines} or a file: load {name} with `cekura_source` in a dlt pipeline of your own (see docs/engines.md)."
    if name in _BY_SQLALCHEMY:
        return f"sync itself cannot keep its promises in {name}, only in {engines} or a file: load {name} with `cekura_source` in a dlt pipeline of your own, whose destination is sqlalchemy (see docs/engines.md)."
    return f"'{name}' is no destination: write --destination {engines}, or leave it out for a file."
