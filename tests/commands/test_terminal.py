"""On a terminal: narrow, without colours, and interrupted. A pty stands for it, and pyte for what is seen on it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable

import pyte
import pytest

from cekura_sync import cli
from cekura_sync.sandbox import Answer, Request
from support.harness import HANG, PATIENCE, Account, run

COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-9]|4[0-9]|9[0-9])[0-9;]*m")


@pytest.fixture
def slow(new_account: Callable[..., Account]) -> Account:
    """An account that takes long enough for a bar to be drawn."""
    return new_account(results=300, runs_per_result=1, in_flight=0, page_size_cap=20, latency=0.05)


class Terminal:
    """The command on a terminal of so many columns."""

    def __init__(self, account: Account, *arguments: str, columns: int = 80, **env: str) -> None:
        self._screen = pyte.Screen(columns, 200)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        plain = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, *arguments],
            env=plain | account.env | {"TERM": "xterm-256color"} | env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.raw = b""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def finish(self) -> int:
        """The exit code, once all that was written has been seen."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    chunk = os.read(self._master, 65536)
                except OSError:
                    break  # Linux: nobody writes any more
                if not chunk:
                    break
                self.raw += chunk
                self._stream.feed(chunk)
            elif self.process.poll() is not None:
                break
        os.close(self._master)
        return self.process.wait(timeout=PATIENCE)

    @property
    def text(self) -> str:
        return self.raw.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What is left on the screen."""
        return [line.rstrip() for line in self._screen.display if line.strip()]


# Ctrl-C goes to the foreground of the controlling terminal: it must be ours.
_OWN_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv[0] = "cekura-sync"
from cekura_sync.__main__ import main
main()
"""


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in sorted(cli.cli.commands))])
@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_help_fits_the_terminal_down_to_50_columns(arguments: list[str], columns: int) -> None:
    """Narrower than that, two columns of text could not be read; the terminal folds the lines."""
    ran = run(*arguments, env={"COLUMNS": str(columns)})

    assert max(map(len, ran.out.splitlines())) <= max(columns, 50)


def test_a_table_fits_a_narrow_terminal_and_loses_no_letter(synced: Account) -> None:
    terminal = Terminal(
        synced, "query", "select agent_name, results, runs from analytics.agent_run_counts", columns=40
    )

    assert terminal.finish() == 0
    lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= 40
    assert "…" not in terminal.text
    assert "Northwind" in terminal.text


@pytest.mark.parametrize("word", ["می\u200cخواهم", "क्\u200dष", "👩\u200d💻"])
def test_a_word_that_is_written_with_joiners_stays_whole(synced: Account, word: str) -> None:
    assert word in synced.run("query", f"select '{word}' as word").out


WIDE = "select agent_id, agent_name, runs, 0.123456 as rate, timestamptz '2026-01-02 03:04:05+00' as a_long_heading, timestamptz '2026-11-12 13:14:15+00' as at from analytics.agent_run_counts"


def test_a_table_too_wide_for_the_terminal_becomes_a_block_a_row_and_folds_nothing(synced: Account) -> None:
    terminal = Terminal(synced, "query", WIDE)

    assert terminal.finish() == 0
    assert re.search(r"^agent_name      Northwind Parcel Hotline\r$", terminal.text, re.MULTILINE)
    rows = len(synced.query("from analytics.agent_run_counts"))
    for line in ("rate            0.123", "a_long_heading  2026-01-02 03:04:05+00:00"):
        assert terminal.text.count(line) == rows
    assert terminal.text.count("\r\n\r\nagent_id ") == rows - 1


def test_a_table_into_a_pipe_is_as_wide_as_its_rows(synced: Account) -> None:
    ran = synced.run("query", f"select repeat('wide ', 80) as wide, * from ({WIDE})", COLUMNS="80")

    rows = [line for line in ran.out.splitlines() if "wide wide" in line]
    assert len(rows) == len(synced.query("from analytics.agent_run_counts"))
    assert all("wide " * 80 in row and row.rstrip().endswith("2026-11-12 13:14:15+00:00") for row in rows)


def test_the_bar_keeps_to_its_narrow_line_and_leaves_nothing_behind(slow: Account) -> None:
    terminal = Terminal(slow, "sync", "--dry-run", columns=40)

    assert terminal.finish() == 0
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.text)
    bars = [line for line in re.split(r"[\r\n]+", drawn) if "Reading" in line]
    assert 0 < max(map(len, bars)) <= 40
    assert "Reading" not in "".join(terminal.lines)
    assert "".join(terminal.lines).startswith("Full sync: 300 results read")
    assert terminal.text.count("\x1b[?25l") == terminal.text.count("\x1b[?25h") > 0
    assert COLOUR.search(terminal.text)


def test_no_color_is_heeded(slow: Account) -> None:
    terminal = Terminal(slow, "sync", "--dry-run", NO_COLOR="1")

    assert terminal.finish() == 0
    assert "Reading results" in terminal.text
    assert not COLOUR.search(terminal.text)


def test_a_dumb_terminal_is_told_in_plain_lines(slow: Account) -> None:
    terminal = Terminal(slow, "sync", "--dry-run", TERM="dumb")

    assert terminal.finish() == 0
    assert "\x1b" not in terminal.text
    assert "Full sync: 300 results read" in terminal.text


def test_ctrl_c_stops_a_sync_and_gives_the_terminal_back(new_account: Callable[..., Account]) -> None:
    account = new_account(results=300, runs_per_result=1, in_flight=0, page_size_cap=20)
    hanging = threading.Event()

    def hang(request: Request) -> Answer | None:
        if request.index < 8:
            return None
        hanging.set()
        return Answer(delay=HANG)

    account.sandbox.intercept = hang
    terminal = Terminal(account, "sync")
    assert hanging.wait(PATIENCE)
    terminal.type("\x03")

    assert terminal.finish() == 130
    assert terminal.lines[-1] == "cekura-sync: Interrupted: nothing was changed."
    assert terminal.text.count("\x1b[?25l") <= terminal.text.count("\x1b[?25h"), "the cursor stays hidden"
    assert not account.warehouse.exists()


def test_ctrl_c_between_two_syncs_is_a_clean_end(settled: Account) -> None:
    terminal = Terminal(settled, "sync", "--every", "1h")
    ends = time.monotonic() + PATIENCE
    while b"results in the warehouse" not in terminal.raw and time.monotonic() < ends:
        terminal.raw += os.read(terminal._master, 4096)
    terminal.type("\x03")

    assert terminal.finish() == 0
    assert terminal.text.rstrip().endswith("Stopped between two syncs.")
