"""The command line: tables or JSON on stdout, everything else on stderr, one exit code per kind of failure."""

import os
from itertools import pairwise

import click

from cekura_sync import __version__
from cekura_sync.commands import (
    backup,
    dashboards,
    demo,
    doctor,
    erase,
    export,
    gate,
    models,
    read,
    report,
    schedule,
    sync,
    views,
)
from cekura_sync.console import failure, terminal
from cekura_sync.console.exits import ExitCode
from cekura_sync.console.signals import stop_signals
from cekura_sync.settings.texts import require_utf8
from cekura_sync.settings.variables import mistyped


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="cekura-sync")
@click.pass_context
def cli(context: click.Context) -> None:
    """Copy Cekura test results into a local DuckDB warehouse: complete, incremental, ready for SQL.

    The API key comes from CEKURA_API_KEY, or from the file of Cekura's own CLI, ~/.cekura/config.toml.
    Write durations as 90s, 15m, 24h or 7d.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(ExitCode.USAGE)


for command in (
    sync.sync,
    sync.build,
    read.status,
    views.views,
    models.models,
    read.query,
    read.check,
    report.report,
    gate.gate,
    export.export,
    dashboards.dashboards,
    backup.backup,
    backup.restore,
    erase.erase,
    doctor.doctor,
    schedule.schedule,
    demo.demo,
    demo.sandbox,
):
    cli.add_command(command)


def run(arguments: list[str]) -> ExitCode:
    """Run a command; every failure becomes one sentence and one exit code."""
    terminal.log_as(_log_format(arguments))
    try:
        stop_signals.heed()
        require_utf8(arguments, os.environ)
        for flaw in mistyped(os.environ):
            terminal.warn(flaw)
        code = cli.main(arguments, prog_name="cekura-sync", standalone_mode=False)
        return ExitCode(code or 0)
    except SystemExit as stop:
        # click and rich exit with 1 when the reader of a pipe has closed it.
        return ExitCode.OK if stop.code == 1 else ExitCode(int(stop.code or 0))
    except BaseException as error:
        stop_signals.hold()
        return failure.report_failure(error, as_json="--json" in arguments)


def _log_format(arguments: list[str]) -> str:
    """Read before click parses the command line, so that its errors are logged in this format too."""
    given = [following for option, following in pairwise(arguments) if option == "--log-format"]
    given += [text.partition("=")[2] for text in arguments if text.startswith("--log-format=")]
    return given[-1] if given else os.environ.get("CEKURA_LOG_FORMAT", "")
