"""The command that stops a release when an agent got worse."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cekura_sync import clock, settings
from cekura_sync.commands.options import (
    WholeNumber,
    destination_option,
    engine_of,
    readable,
    warehouse_option,
)
from cekura_sync.commands.sync import sync as sync_command
from cekura_sync.console import memory, terminal
from cekura_sync.console.exits import ExitCode
from cekura_sync.console.signals import stop_signals
from cekura_sync.errors import SettingsError
from cekura_sync.gate.question import Question
from cekura_sync.warehouse.layout import require_outside

if TYPE_CHECKING:
    from cekura_sync.gate.judge import Judgement

NEWEST = 20  # results that are judged unless the options choose others
BASELINE = "28d"
WAIT = "30m"
# Options of `sync` that say which results a gate has and how they are read.
_OF_SYNC = (
    "api_url",
    "api_version",
    "allow_http",
    "full_every",
    "lookback",
    "page_size",
    "concurrency",
    "timeout",
    "details",
    "details_budget",
    "transcripts",
    "profiles",
    "keep_transcripts",
)


class Share(click.FloatRange):
    """A number from 0 to 1; NaN is refused."""

    name = "share"

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        share = super().convert(value, param, ctx)
        if math.isnan(share):
            self.fail(f"{value!r} is not in the range 0<=x<=1.", param, ctx)
        return share


@click.command(short_help="Exit with 11 if an agent got worse.")
@click.option(
    "--agent-id",
    "agent_ids",
    type=WholeNumber(min=0),
    multiple=True,
    required=True,
    help="Judge this agent. Can be repeated.",
)
@click.option(
    "--result-id",
    "result_ids",
    type=WholeNumber(min=0),
    multiple=True,
    help="Judge this result. Can be repeated.",
)
@click.option(
    "--since", metavar="TIME", help="Judge the results created since this time, such as 2026-03-10T14:30:00Z."
)
@click.option(
    "--last", type=WholeNumber(min=1), help=f"Judge this many of the newest results.  [default: {NEWEST}]"
)
@click.option(
    "--version", metavar="NAME", help="Judge the results of this version of the agent. Give its name or id."
)
@click.option(
    "--baseline",
    metavar="DUR",
    default=BASELINE,
    show_default=True,
    help="Compare with the completed results of this long before the first judged result.",
)
@click.option(
    "--max-drop",
    type=Share(),
    default=0.05,
    show_default=True,
    help="Tolerate a fall of the pass rate up to this size. A larger fall counts only if chance does not explain it.",
)
@click.option(
    "--min-pass-rate",
    type=Share(),
    help="Also fail an agent whose pass rate is below this, if chance does not explain it.",
)
@click.option(
    "--must-show",
    type=Share(),
    default=0.3,
    show_default=True,
    help="Exit with 12 if the runs are too few to show a fall of this size.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="Compare how many runs pass this metric. Turns on --details.",
)
@click.option(
    "--wait",
    metavar="DUR",
    default=WAIT,
    show_default=True,
    help="Wait up to this long for results in flight that are to be judged.",
)
@click.option(
    "--no-sync", is_flag=True, help="Judge what is in the warehouse now. Do not sync, and do not wait."
)
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the judgement as JUnit XML, a test case for each agent.",
)
@click.option(
    "--summary",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append the judgement to this file as Markdown, for the summary of a CI step.",
)
@warehouse_option
@destination_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout instead of the table.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def gate(
    *,
    no_sync: bool,
    wait: str,
    junit: Path | None,
    summary: Path | None,
    as_json: bool,
    quiet: bool,
    warehouse: str,
    destination: str | None,
    **options: Any,
) -> None:
    """Sync, wait for results in flight, and check whether agents got worse. For release pipelines.

    Exits with 0 if no agent got worse, 11 if one did, and 12 if one cannot be judged, for example because it has too few
    runs. If the sync fails, the gate exits with the sync's code.
    """
    of_sync = {name: options.pop(name) for name in _OF_SYNC}
    question = _question(**options)
    for file in (junit, summary):
        _require_place(file, warehouse)
    of_sync["destination"] = destination
    if question.metric is not None:
        of_sync["details"] = True
    if not engine_of(destination):
        of_sync["warehouse"] = warehouse
    from cekura_sync.gate import waiting

    judgement = waiting.judge_when_finished(
        question,
        partial(readable, warehouse, destination),
        None if no_sync else partial(_sync, of_sync, question.agent_ids, quiet=quiet),
        settings.duration(wait, "--wait"),
        (lambda _: None) if quiet else terminal.message,
    )
    _report(judgement, question, junit, summary, as_json=as_json)


gate.params.extend(option for option in sync_command.params if option.name in _OF_SYNC)


def _question(
    agent_ids: tuple[int, ...],
    result_ids: tuple[int, ...],
    since: str | None,
    last: int | None,
    version: str | None,
    baseline: str,
    **others: Any,
) -> Question:
    """The question that the options ask. Raises UsageError, SettingsError."""
    chosen = sum((bool(result_ids), since is not None, last is not None, version is not None))
    if chosen > 1:
        raise click.UsageError(
            "Choose the results to judge by one of --result-id, --since, --last and --version."
        )
    return Question(
        agent_ids=agent_ids,
        result_ids=result_ids,
        since=settings.moment(since, "--since") if since is not None else None,
        newest=last if chosen else NEWEST,
        version=version,
        baseline=settings.baseline(baseline),
        **others,
    )


def _sync(
    options: dict[str, Any], agent_ids: tuple[int, ...], back_to: datetime | None, *, quiet: bool
) -> timedelta:
    """Each agent is a scope of its own, so that a fresh warehouse does not read the whole account.

    Returns how far this machine's clock is ahead of the API's.
    """
    memory.require_address_space()
    from cekura_sync.sync import sync

    ahead = timedelta()
    for agent_id in agent_ids:
        resolved = settings.resolve(options | {"agent_id": agent_id})
        if back_to is not None:
            reach = clock.now() - back_to + timedelta(hours=1)
            resolved = replace(resolved, lookback=max(resolved.lookback, reach))
        with terminal.Reporter(quiet=quiet, verbose=False, swapping=stop_signals.hold) as reporter:
            ahead = sync(resolved, reporter).clock_ahead
        stop_signals.heed()
    return ahead


def _report(
    judgement: "Judgement", question: Question, junit: Path | None, summary: Path | None, *, as_json: bool
) -> None:
    """Exits with the code of the judgement, unless no agent got worse."""
    from cekura_sync.gate import judge, table, wording
    from cekura_sync.gate.junit import junit as as_junit
    from cekura_sync.gate.markdown import markdown

    code = {judge.WORSE: ExitCode.GATE_WORSE, judge.UNDECIDED: ExitCode.GATE_UNDECIDED}.get(
        judgement.outcome, ExitCode.OK
    )
    if junit is not None:
        junit.write_text(as_junit(judgement, question), encoding="utf-8")
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(markdown(judgement, question))
    if as_json:
        terminal.print_outcome(table.as_json(judgement, question, int(code)))
    else:
        terminal.print_table(table.COLUMNS, table.rows(judgement))
    headline, details = wording.headline(judgement, question), wording.details(judgement, question)
    if code is ExitCode.OK:
        for line in (headline, *details):
            terminal.message(line)
    else:
        terminal.failed(headline, int(code), details)
        raise SystemExit(code)


def _require_place(file: Path | None, warehouse: str) -> None:
    """Before a sync that may take long. Raises SettingsError."""
    if file is None:
        return
    require_outside(settings.check_warehouse(warehouse), file)
    if not file.absolute().parent.is_dir():
        raise SettingsError(
            f"{file} is in a directory that does not exist: create it, or choose another file."
        )
