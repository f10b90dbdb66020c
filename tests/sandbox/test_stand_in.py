"""The stand-in as a command: what it says to whoever starts it, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.harness import PATIENCE, run

COMMAND = [sys.executable, "-m", "cekura_sync", "sandbox", "--results", "5", "--port"]


@contextmanager
def started() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*COMMAND, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_says_how_to_reach_it_and_that_it_has_stopped(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with started() as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        told = re.fullmatch(r"export CEKURA_API_URL=(\S+) CEKURA_API_KEY=(\S+)\n", said)
        assert told, said
        env = {"CEKURA_API_URL": told[1], "CEKURA_API_KEY": told[2]}
        ran = run("sync", "--dry-run", "--json", "--warehouse", str(tmp_path / "w.duckdb"), env=env)
        assert (ran.code, ran.json["rows_read"]) == (0, 5), ran.err

        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)

    assert (process.returncode, err) == (code, "The stand-in has stopped.\n")


def test_a_port_that_is_taken_is_a_matter_of_settings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("sandbox", "--port", str(port), env={})

    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(
        rf"cekura-sync: Port {port} cannot be used \([^)]+\): choose another --port, [^\n]+\n", ran.err
    )
