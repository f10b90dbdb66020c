"""The command that removes results for good."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cekura_sync import settings
from cekura_sync.commands.options import WholeNumber, destination_option, engine_of, warehouse_option
from cekura_sync.console import terminal
from cekura_sync.console.signals import stop_signals

if TYPE_CHECKING:
    from cekura_sync.warehouse.erase import Selection

_ALLOWED = "Result {id} is no longer kept away: the next `cekura-sync sync --full` stores it, if Cekura still lists it."
_NOT_ERASED = "Result {id} is not kept away, so there is nothing to undo."


@click.command(short_help="Remove results, or what was said in them, for good.")
@click.option(
    "--result", "--result-id", "result", type=WholeNumber(min=0), metavar="ID", help="Remove this result."
)
@click.option(
    "--agent",
    "--agent-id",
    "agent",
    type=WholeNumber(min=0),
    metavar="ID",
    help="Remove all results of this agent.",
)
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Remove all results created before this day (UTC), such as 2026-03-10.",
)
@click.option("--transcripts-only", is_flag=True, help="Remove only what was said. Results and rates stay.")
@click.option("--undo", is_flag=True, help="Erase nothing: let syncs store the result of --result again.")
@warehouse_option
@destination_option
def erase(
    result: int | None,
    agent: int | None,
    before: datetime | None,
    *,
    transcripts_only: bool,
    undo: bool,
    warehouse: str,
    destination: str | None,
) -> None:
    """Remove results for good, with their runs, details, transcripts and rejected texts.

    No later sync brings them back, because the warehouse keeps a list of their ids; --undo takes one off it. With --transcripts-only, no later
    sync reads their details again, or stores what the list of results shows of their calls. Backups and copies of the
    warehouse still contain them.
    """
    if sum(choice is not None for choice in (result, agent, before)) != 1:
        raise click.UsageError("Say what to erase: one of --result, --agent and --before.")
    if undo and (result is None or transcripts_only):
        raise click.UsageError("--undo goes with --result alone.")
    from cekura_sync.warehouse import open_warehouse
    from cekura_sync.warehouse.erase import Selection
    from cekura_sync.warehouse.layout import Layout
    from cekura_sync.warehouse.writers import still_held

    path, engine = settings.check_warehouse(warehouse), engine_of(destination)
    if undo and result is not None:
        allowed = open_warehouse(path, engine).allow(result, stop_signals.hold)
        terminal.message(_ALLOWED.format(id=result) if allowed else _NOT_ERASED.format(id=result))
        return
    moment = before.replace(tzinfo=UTC) if before else None
    selection = Selection(result, agent, moment, transcripts_only)
    count = open_warehouse(path, engine).erase(selection, stop_signals.hold)
    what = "What was said is erased in" if transcripts_only else "Erased"
    if count:
        terminal.message(
            f"{what} {count:,} result{'s' * (count != 1)}. Backups and copies of the warehouse still hold {'it' if count == 1 else 'them'}: erase or delete those too."
        )
    else:
        terminal.message(
            f"{what} 0 results: {_nothing_of(selection)} Backups and copies of the warehouse may hold {'it' if result is not None else 'some'}: erase or delete those too."
        )
    if engine is None and (held := still_held(Layout(path))):
        terminal.warn(held)


def _nothing_of(selection: "Selection") -> str:
    """Why nothing was erased. Whoever mistyped a number must not take the data for gone."""
    if selection.result_id is not None:
        stores = "stores what was said in it" if selection.transcripts_only else "stores it"
        undo = "" if selection.transcripts_only else "; --undo takes that back"
        return f"the warehouse does not hold result {selection.result_id}. Its id is noted, so that no later sync {stores}{undo}."
    if selection.agent_id is not None:
        return f"the warehouse holds none of agent {selection.agent_id}."
    return f"the warehouse holds none that were created before {selection.before:%Y-%m-%d}."
