"""Our views in the destination of somebody's dlt pipeline, for `cekura_views`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common import logger
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.job_client_impl import SqlJobClientBase
from sqlglot import exp

from cekura_sync.account import ACCOUNT, require_name
from cekura_sync.destination.formats import BUILT, SqlTables, Tables, open_client, open_tables
from cekura_sync.errors import SettingsError, WarehouseError
from cekura_sync.models import dialects, runner, script
from cekura_sync.models.runner import Model
from cekura_sync.source import empty_table
from cekura_sync.tables import SCHEMA, TABLES

if TYPE_CHECKING:
    from dlt.common.destination.client import JobClientBase
    from dlt.pipeline.pipeline import Pipeline
    from dlt.sources import DltResource

SOURCE = "cekura"  # the name of the dlt schema that the source makes
_BUILT_COLUMNS: dict[str, Any] = {"name": {"data_type": "text"}, "digest": {"data_type": "text"}}


def cekura_views(pipeline: "Pipeline", schema: str = runner.SCHEMA, account: str | None = None) -> list[str]:
    """Create our views over the tables that `cekura_source` loads with this pipeline; returns those whose text was new.

    `schema`: the dataset that holds the views. `account`: only its rows, where several share the tables. Tables that no load has made yet are made by dlt. Views that others have there
    stay. A lake has no views, only tables: there it makes the missing ones. Raises SettingsError for a destination whose words
    it does not know, WarehouseError where views of others stand in the way.
    """
    require_name(account)
    if not schema.strip():
        raise SettingsError("schema= is empty: name the one for the views, or leave it out for analytics.")
    client = _client(pipeline)
    _complete(pipeline, client, account)
    if not isinstance(client, SqlJobClientBase):
        logger.warning(
            "This destination has no views. Print them as a script for the engine that reads its tables: `cekura-sync models --dialect spark`, or another one."
        )
        return []
    client = _client(pipeline)  # with the tables that were missing in its schema
    assert isinstance(client, SqlJobClientBase)  # noqa: S101 - as before
    engine = _engine(client)
    where = (engine, client.sql_client.fully_qualified_dataset_name(), schema, account or "")
    wanted = {model.name: script.signature(model, *where) for model in script.models(engine)}
    built = _built(client, schema)
    with client:
        present = _present(client, schema, [*wanted])
    if others := sorted(present - built.keys()):
        raise WarehouseError(
            f"The schema {schema} holds somebody else's views or tables under our names: {', '.join(others)}. Nothing was changed; pass another schema=, or drop them."
        )
    changed = {name for name in wanted if name not in present or built.get(name) != wanted[name]}
    new = _with_those_above(script.models(engine), changed)
    if not new:
        return []
    names = [model.name for model in new]
    # Noted before they are made: what we have made is ours, though the process may die in between.
    pipeline.run(_note({f"{schema}.{name}": built.get(name, "") for name in names}))
    with client:
        _create_schema(client, schema)
        _build(client, schema, new, present, account)
    pipeline.run(_note({f"{schema}.{name}": wanted[name] for name in names}))
    return names


def _schema(pipeline: "Pipeline") -> dlt.Schema:
    return pipeline.schemas[SOURCE] if SOURCE in pipeline.schema_names else dlt.Schema(SOURCE)


def _client(pipeline: "Pipeline") -> "JobClientBase":
    client = open_client(pipeline, _schema(pipeline))
    words = client.capabilities.sqlglot_dialect
    if isinstance(client, SqlJobClientBase) and words not in dialects.ENGINES:
        raise SettingsError(
            f"cekura_views does not know the words of {client.config.destination_name}: it knows those of {', '.join(dialects.ENGINES)}."
        )
    return client


def _complete(pipeline: "Pipeline", client: "JobClientBase", account: str | None) -> None:
    """Have dlt make the tables and columns that the views select from and that are missing."""
    results = client.schema.tables.get("results", {})
    table_format = results.get("table_format")
    tables = open_tables(pipeline, client.schema, table_format, None)
    if tables is None:
        raise SettingsError(
            'The views need tables in an SQL database, or in the format Delta or Iceberg: run the pipeline with table_format="delta".'
        )
    present = tables.columns("results")
    if present and (ACCOUNT in present) != (account is not None):
        raise SettingsError(
            f"The table results {'has no' if account else 'has a'} column account: call cekura_views {'without' if account else 'with'} account=, as cekura_source was called."
        )
    missing = [name for name in sorted(script.selected_tables()) if not _is_complete(tables, name)]
    if missing:
        pipeline.run(_empty_tables(missing, table_format, account))


def _engine(client: SqlJobClientBase) -> str:
    return str(client.capabilities.sqlglot_dialect)


def _is_complete(tables: Tables, name: str) -> bool:
    return {*TABLES[name].columns} <= {*tables.columns(name)}


@dlt.source(name=SOURCE, section=SOURCE)
def _empty_tables(names: list[str], table_format: str | None, account: str | None) -> "Iterator[DltResource]":
    for name in names:
        yield empty_table(name, table_format, account)


@dlt.source(name=SOURCE, section=SOURCE)
def _note(digests: dict[str, str]) -> "DltResource":
    rows = [{"name": name, "digest": digest} for name, digest in digests.items()]
    return dlt.resource(
        rows, name=BUILT, columns=_BUILT_COLUMNS, primary_key="name", write_disposition="merge"
    )


def _statements(client: SqlJobClientBase, schema: str, model: Model, account: str | None) -> list[str]:
    engine = _engine(client)

    def place(ours: str, name: str) -> exp.Table:
        with client.sql_client.with_alternative_dataset_name(
            client.sql_client.dataset_name if ours == SCHEMA else schema
        ):
            return exp.to_table(client.sql_client.make_qualified_table_name(name), dialect=engine)

    return script.statements(model, engine, place, account)


def _built(client: SqlJobClientBase, schema: str) -> dict[str, str]:
    tables = SqlTables(client, None)
    if not tables.columns(BUILT):
        return {}
    rows = [row for batch in tables.rows(BUILT, ["name", "digest"]) for row in batch.to_pylist()]
    return {
        row["name"].removeprefix(f"{schema}."): row["digest"]
        for row in rows
        if row["name"].startswith(f"{schema}.")
    }


def _present(client: SqlJobClientBase, schema: str, names: list[str]) -> set[str]:
    with client.sql_client.with_alternative_dataset_name(schema):
        if not client.sql_client.has_dataset():
            return set()
        return {name for name, columns in client.get_storage_tables(names) if columns}


def _with_those_above(models: list[Model], changed: set[str]) -> list[Model]:
    """With the views that select from a changed one: some engines keep the columns of the time when a view was made."""
    for model in models:
        if model.references & changed:
            changed.add(model.name)
    return [model for model in models if model.name in changed]


def _create_schema(client: SqlJobClientBase, schema: str) -> None:
    with client.sql_client.with_alternative_dataset_name(schema):
        if not client.sql_client.has_dataset():
            client.sql_client.create_dataset()


def _build(
    client: SqlJobClientBase, schema: str, models: list[Model], present: set[str], account: str | None
) -> None:
    try:
        _run(client, schema, models, account)
    except DatabaseException:
        if not present:
            raise
        # Some engines cannot replace a view by one with other columns.
        everything = script.models(_engine(client))
        _drop(client, schema, [model.name for model in reversed(everything) if model.name in present])
        _run(client, schema, everything, account)


def _run(client: SqlJobClientBase, schema: str, models: list[Model], account: str | None) -> None:
    made = [_statements(client, schema, model, account) for model in models]
    with client.maybe_ddl_transaction():
        for create, *_ in made:
            client.sql_client.execute_sql(create)
    for _, *comments in made:
        _comment(client, comments)


def _comment(client: SqlJobClientBase, comments: list[str]) -> None:
    """As far as the engine has comments: DuckLake, for instance, takes one of a view and none of its columns."""
    try:
        for comment in comments:
            client.sql_client.execute_sql(comment)
    except DatabaseException as error:
        logger.info(f"The views have no more comments: {error}")


def _drop(client: SqlJobClientBase, schema: str, names: list[str]) -> None:
    with client.sql_client.with_alternative_dataset_name(schema):
        for name in names:
            try:
                client.sql_client.execute_sql(
                    f"drop view {client.sql_client.make_qualified_table_name(name)}"
                )
            except DatabaseException as error:
                raise WarehouseError(
                    f"The view {schema}.{name} has new columns and cannot be replaced: {error}. Drop the views that stand on it, and make them again afterwards."
                ) from error
