"""The command that prints the views as a script for another engine."""

import click

from cekura_sync.account import require_name
from cekura_sync.errors import SettingsError

DIALECTS = (
    "spark",
    "databricks",
    "snowflake",
    "bigquery",
    "redshift",
    "trino",
    "clickhouse",
    "postgres",
    "duckdb",
)


@click.command(short_help="Print the views as a script for another engine.")
@click.option(
    "--dialect",
    required=True,
    metavar="NAME",
    type=click.Choice(DIALECTS),
    help=f"The engine's SQL dialect: {', '.join(DIALECTS[:-1])} or {DIALECTS[-1]}.",
)
@click.option("--schema", default="analytics", show_default=True, help="Schema for the views.")
@click.option(
    "--tables",
    default="cekura",
    show_default=True,
    help="Where the tables are: the dataset_name of your dlt pipeline.",
)
@click.option(
    "--session",
    is_flag=True,
    help="Make temporary views, for a session without a catalog. Their names are like analytics_runs, those of the tables like cekura_runs.",
)
@click.option("--account", help="Select only the rows of this account, if several accounts share the tables.")
def models(dialect: str, schema: str, tables: str, account: str | None, *, session: bool) -> None:
    """Print the statements that create our views and their comments in another engine that has our tables.

    The command reads neither the API nor a warehouse. In your own dlt pipeline, cekura_views(pipeline) runs them.
    """
    from cekura_sync.models import schemas, script

    require_name(account)
    schemas.require("--schema", schema, dialect, created=not session)
    schemas.require("--tables", tables, dialect)
    if session and dialect not in script.TEMPORARY:
        raise SettingsError(
            f"--session makes temporary views, and {dialect} has none: leave it out, or choose among {', '.join(script.TEMPORARY)}."
        )
    click.echo(
        f"-- Views of cekura-sync for {dialect}. They are as current as the tables: dlt commits those one after another,"
    )
    click.echo(
        "-- so for a moment a reader may see a result without its runs. Nothing keeps two loads apart."
    )
    for left_out in script.left_out(dialect):
        click.echo(f"-- {dialect} cannot express the view {left_out}: it is left out.")
    make = script.session_script if session else script.script
    for statement in make(dialect, schema, tables, account):
        click.echo(f"\n{statement};")
