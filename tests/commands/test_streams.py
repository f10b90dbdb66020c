"""stdout, stderr and signals of the installed command: none of them decides whether a sync that was committed succeeded."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from support.harness import PATIENCE, Account, NewAccount
from support.rare import rare

COMMAND = f"{sys.executable} -m cekura_sync"


def shell(account: Account, line: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """The line in bash, with the exit code of the command and not of what reads it."""
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", line],
        env=os.environ | account.env | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize(
    "streams",
    [
        "--json | true",
        "--json <&- >&- 2>&-",
        *rare(">/dev/full 2>&1", "--json >/dev/full", "--json >&-", "--json 2>&-", "-v 2>&1 | true"),
    ],
)
def test_a_committed_sync_succeeds_whoever_hears_of_it(settled: Account, streams: str) -> None:
    settled.world.insert(1)

    ran = shell(settled, f"{COMMAND} sync {streams}")

    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "nothing was changed" not in ran.stderr
    settled.assert_equals_api()


def test_an_outcome_that_cannot_be_printed_is_a_warning(settled: Account) -> None:
    ran = shell(settled, f"{COMMAND} sync --json >/dev/full")

    assert ran.stderr == "Warning: the outcome cannot be printed: No space left on device.\n"


@pytest.mark.parametrize("streams", [">/dev/full", *rare("2>/dev/full", ">&-", "2>&-"), ">&- 2>&-"])
def test_a_failure_keeps_its_code_whoever_hears_of_it(quick: Account, streams: str) -> None:
    ran = shell(quick, f"{COMMAND} sync --json {streams}", CEKURA_API_KEY="another-key")

    assert ran.returncode == 3
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("status >&-", 9),
        ("status --max-age 0 | true", 10),
        ("status >/dev/full", 9),
        ("--help >/dev/full", 9),
        ("query 'select 1' >/dev/full", 9),
        ("query --csv 'select 1' >/dev/full", 9),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("status 2>&-", 0),
                ("status | true", 0),
                ("--help | true", 0),
                ("query 'select 1' | true", 0),
                ("query 'select 1' >&-", 9),
                ("query --json 'select 1' >/dev/full", 9),
            )
        ),
        ("query --csv 'select range from range(200000)' | head -n 1", 0),
    ],
)
def test_data_that_is_lost_is_a_failure_and_a_reader_that_has_gone_is_none(
    synced: Account, line: str, code: int
) -> None:
    ran = shell(synced, f"{COMMAND} {line}")

    assert ran.returncode == code, ran.stderr
    why = (
        "Standard output is closed, so nothing could be printed: open it, as in `>/dev/null`, then try again."
        if line.endswith(">&-")
        else "No space left on device: make room there, then try again."
    )
    last = " ".join(ran.stderr.splitlines()[-1:])
    assert (last == f"cekura-sync: {why}") == (code == 9)
    assert ("older than --max-age" in last) == (code == 10)
    assert bool(last) == (code in (9, 10))


# -- progress ---------------------------------------------------------------------------------------------------------


def on_a_terminal(account: Account, **env: str) -> str:
    """What `sync` draws on a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cekura_sync", "sync", "--dry-run"],
        env=os.environ | account.env | {"TERM": "xterm", "COLUMNS": "120"} | env,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    try:
        while chunk := os.read(ours, 4096):
            drawn += chunk
    except OSError:
        pass  # Linux says so that the other end is closed
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 0, drawn
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())


def test_a_terminal_shows_pages_rows_rate_and_the_time_left(new_account: NewAccount) -> None:
    account = new_account(results=300, runs_per_result=1, page_size_cap=10, latency=0.1)

    drawn = on_a_terminal(account)

    assert re.search(r"Reading results .+ \d+/30\d \d+ pages, \d+ a second \d+:\d\d:\d\d", drawn), drawn
    assert re.search(r"results would be in the warehouse.*\n$", drawn)


# -- signals ----------------------------------------------------------------------------------------------------------

SIGNALLED_AT_AN_IMPORT = """
import os, sys

module, number = sys.argv[1:]

class Watch:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), int(number))

sys.meta_path.insert(0, Watch())
from cekura_sync.__main__ import main
sys.argv[1:] = ["sync", "--json"]
main()
"""


@pytest.mark.parametrize(
    ("module", "number", "code"),
    [
        ("cekura_sync.cli", signal.SIGINT, 130),
        ("duckdb", signal.SIGTERM, 143),
        *(
            pytest.param(module, number, code, marks=pytest.mark.long)
            for module in ("cekura_sync.cli", "click", "cekura_sync.sync", "duckdb")
            for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143))
        ),
    ],
)
def test_a_signal_among_the_imports_stops_the_command(
    synced: Account, module: str, number: signal.Signals, code: int
) -> None:
    before = synced.stored()
    ran = subprocess.run(
        [sys.executable, "-c", SIGNALLED_AT_AN_IMPORT, module, str(number.value)],
        env=os.environ | synced.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ran.returncode == code, ran.stderr
    assert f'"exit_code": {code}' in ran.stdout
    assert re.fullmatch(r"cekura-sync: \w+: nothing was changed\.\n", ran.stderr)
    assert synced.stored() == before


def test_before_its_handlers_stand_the_command_imports_nothing_slow() -> None:
    program = "import sys; before = set(sys.modules); import cekura_sync.__main__; print(*sys.modules.keys() - before)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    ours = {name for name in ran.stdout.split() if name.startswith("cekura_sync")}
    assert ours == {
        "cekura_sync",
        "cekura_sync.__main__",
        "cekura_sync.console",
        "cekura_sync.console.signals",
    }
    assert not {"click", "typing", "json", "re"} & set(ran.stdout.split())
