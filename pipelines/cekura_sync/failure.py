"""How a failure is told: one sentence on stderr, with --json one object on stdout, and the exit code that it has."""

import signal
import sys

import click

from cekura_sync import terminal
from cekura_sync.exits import ExitCode, exit_code_for
from cekura_sync.stopping import Stopped, stop_signals


def tell(error: BaseException, *, as_json: bool) -> ExitCode:
    if stop_signals.received is not None or isinstance(error, Stopped | KeyboardInterrupt | click.Abort):
        code = ExitCode(128 + (stop_signals.received or signal.SIGINT))
        sentence = f"{code.name.capitalize()}: nothing was changed."
        if code is ExitCode.INTERRUPTED:
            terminal.leave_ctrl_c()
    else:
        code = exit_code_for(error)
        sentence = _sentence(error, code)
        if code is ExitCode.BUG and ("-v" in sys.argv or "--verbose" in sys.argv):
            sys.excepthook(type(error), error, error.__traceback__)
    if as_json:
        terminal.print_outcome({"outcome": "failed", "exit_code": int(code), "error": sentence})
    terminal.message(f"cekura-sync: {sentence}")
    for line in "\n".join(getattr(error, "__notes__", ())).splitlines():
        terminal.message(line)
    return code


def _sentence(error: BaseException, code: ExitCode) -> str:
    if code is ExitCode.BUG:
        return f"This is a bug in cekura-sync, please report it: {type(error).__name__}: {error}"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part) + "."
    return str(error)
