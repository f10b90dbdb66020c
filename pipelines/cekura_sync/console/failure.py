"""Reports a failure: one sentence on stderr, with --json one object on stdout, and its exit code."""

import errno
import sys
import traceback

import click

from cekura_sync.console import memory, terminal
from cekura_sync.console.exits import ExitCode, exit_code_for, is_of_damaged_file
from cekura_sync.console.signals import stop_signals


def report_failure(error: BaseException, *, as_json: bool) -> ExitCode:
    code = exit_code_for(error)
    if code is ExitCode.INTERRUPTED:
        terminal.leave_ctrl_c()
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
        earlier = "what earlier syncs wrote stays, nothing else was changed"
        return f"{code.name.capitalize()}: {earlier if stop_signals.committed else 'nothing was changed'}."
    if memory.is_exhausted(error):
        return "There is not enough memory: raise the limit of this process (ulimit -v, MemoryMax, or the container's), or free some on the machine, then try again."
    if is_of_damaged_file(error):
        return f"A file is damaged. {error} If it is the warehouse, delete the published file and sync, which publishes the private copy, or restore a backup. If it is a backup, restore another one."
    if code is ExitCode.BUG:
        return f"This is a bug in cekura-sync, please report it: {type(error).__name__}: {error}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        said = " ".join(error.format_message().split())  # click puts a list of choices on separate lines
        return f"{said}{'' if said[-1] in '.?)' else '.'} See `{error.ctx.command_path} --help`."
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.errno == errno.EBADF:
        return "Standard output is closed, so nothing could be printed: open it, as in `>/dev/null`, then try again."
    if isinstance(error, OSError):
        what = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return (
            f"{what}: {'make room there' if full else 'check the path and its permissions'}, then try again."
        )
    return str(error)
