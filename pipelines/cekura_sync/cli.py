"""The command line: options in, tables or JSON on stdout, everything else on stderr, one exit code per kind of failure."""

import errno
import os
import sys
import traceback
from itertools import pairwise

import click

from cekura_sync import __version__, terminal
from cekura_sync.commands import demo, doctor, look, sync
from cekura_sync.exits import ExitCode, exit_code_for
from cekura_sync.stopping import stop_signals


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="cekura-sync")
@click.pass_context
def cli(context: click.Context) -> None:
    """Copy Cekura test results into a local DuckDB warehouse: complete, incremental, ready for SQL.

    The API key comes from CEKURA_API_KEY, or from the file of Cekura's own CLI, ~/.cekura/config.toml.
    Durations read 90s, 15m, 24h, 7d.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(ExitCode.USAGE)


for command in (
    sync.sync,
    sync.build,
    look.status,
    look.query,
    look.check,
    doctor.doctor,
    demo.demo,
    demo.sandbox,
):
    cli.add_command(command)


def run(arguments: list[str]) -> ExitCode:
    """Run a command; every failure becomes one sentence and one exit code."""
    terminal.log_as(_log_format(arguments))
    try:
        stop_signals.heed()
        code = cli.main(arguments, prog_name="cekura-sync", standalone_mode=False)
        return ExitCode(code or 0)
    except SystemExit as stop:
        # With 1 click and rich leave when the reader of a pipe has gone: it wants no more.
        return ExitCode.OK if stop.code == 1 else ExitCode(int(stop.code or 0))
    except BaseException as error:
        stop_signals.hold()
        return _fail(error, as_json="--json" in arguments)


def _log_format(arguments: list[str]) -> str:
    """Known before the command line is understood, so that even what is wrong with it is told in this form."""
    given = [following for option, following in pairwise(arguments) if option == "--log-format"]
    given += [text.partition("=")[2] for text in arguments if text.startswith("--log-format=")]
    return given[-1] if given else os.environ.get("CEKURA_LOG_FORMAT", "")


def _fail(error: BaseException, *, as_json: bool) -> ExitCode:
    code = exit_code_for(error)
    sentence = _sentence(error, code)
    if as_json:
        terminal.print_outcome({"outcome": "failed", "exit_code": int(code), "error": sentence})
    notes = "\n".join(getattr(error, "__notes__", ())).splitlines()
    if code is ExitCode.BUG and ("-v" in sys.argv or "--verbose" in sys.argv):
        notes += "".join(traceback.format_exception(error)).splitlines()
    terminal.failed(sentence, int(code), notes)
    return code


def _sentence(error: BaseException, code: ExitCode) -> str:
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        return f"{code.name.capitalize()}: nothing was changed."
    if code is ExitCode.BUG:
        return f"This is a bug in cekura-sync, please report it: {type(error).__name__}: {error}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message()} See `{error.ctx.command_path} --help`."
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError):
        what = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return (
            f"{what}: {'make room there' if full else 'check the path and who may use it'}, then try again."
        )
    return str(error)
