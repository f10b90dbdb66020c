"""The command, as installed and as `python -m cekura_sync`. It handles signals before the slow imports begin."""

import gc
import io
import os
import sys

from cekura_sync.console.signals import stop_signals


def main() -> None:
    """Leaves at once: a request thread that hangs must not hold the process."""
    stop_signals.install()
    # Imports make many objects and no garbage: looking for it took a twentieth of a sync.
    gc.set_threshold(50_000, 20, 20)
    _make_streams_usable()
    from cekura_sync import cli

    code = cli.run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass  # nobody can be told any more, and the code is known
    os._exit(code)


def _make_streams_usable() -> None:
    """Closed ones are opened in their order, each on its own descriptor: a file of the warehouse must never get it."""
    # What is printed to a stdout that was closed is lost: its stand-in refuses it, as a full disk would.
    for name, mode, access in (
        ("stdin", "r", os.O_RDONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, access)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may hold what the terminal cannot show


if __name__ == "__main__":
    main()
