"""What a warehouse offers: its views, their columns, and the comments that explain them."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import duckdb

from cekura_sync.errors import SettingsError
from cekura_sync.models.runner import SCHEMA

_VIEWS = """
    select schema_name, view_name, coalesce(comment, '') from duckdb_views()
    where not internal and database_name = current_database() and not starts_with(view_name, '_')
    order by schema_name <> $1, schema_name, view_name
"""
_TABLES = """
    select schema_name, table_name, coalesce(comment, '') from duckdb_tables()
    where database_name = current_database() and not starts_with(table_name, '_') order by all
"""
_COLUMNS = """
    select column_name, data_type, coalesce(comment, '') from duckdb_columns()
    where database_name = current_database() and schema_name = ? and table_name = ? and not starts_with(column_name, '_')
    order by column_index
"""


class Relation(NamedTuple):
    schema: str
    name: str
    meaning: str

    @property
    def title(self) -> str:
        """As a query names it: views of the schema analytics need no schema."""
        return self.name if self.schema == SCHEMA else f"{self.schema}.{self.name}"

    @property
    def first_sentence(self) -> str:
        return self.meaning.partition(". ")[0].rstrip(".")


class Column(NamedTuple):
    name: str
    kind: str
    meaning: str


def views(con: duckdb.DuckDBPyConnection) -> list[Relation]:
    """Ours first, then those of other schemas."""
    return [Relation(*row) for row in con.execute(_VIEWS, [SCHEMA]).fetchall()]


def find(con: duckdb.DuckDBPyConnection, name: str) -> Relation:
    """The view or table of this name, with or without its schema; our own views come first. Raises SettingsError."""
    offered = [*views(con), *(Relation(*row) for row in con.execute(_TABLES).fetchall())]
    for relation in offered:
        if name.lower() in (relation.name.lower(), f"{relation.schema}.{relation.name}".lower()):
            return relation
    raise no_relation(name, [relation.title for relation in offered])


def no_relation(name: str, offered: Sequence[str]) -> SettingsError:
    near = get_close_matches(name, offered, 1, 0.8)
    choice = f"did you mean {near[0]}" if near else f"choose among {', '.join(offered)}"
    return SettingsError(
        f"There is no view or table '{name}': {choice}{'?' if near else '.'} `cekura-sync views` lists all."
    )


def columns(con: duckdb.DuckDBPyConnection, relation: Relation) -> list[Column]:
    return [Column(*row) for row in con.execute(_COLUMNS, [relation.schema, relation.name]).fetchall()]
