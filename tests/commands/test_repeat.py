"""`sync --every`: one process, a sync every so often, until it is stopped or a person must mend something.

CEKURA_TEST_CYCLES=500 makes the memory test a long one.
"""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.sandbox import Answer, Fault, Request
from support.harness import Account

NewAccount = Callable[..., Account]
CYCLES = int(os.environ.get("CEKURA_TEST_CYCLES", "8"))
MIB = 1024


@pytest.fixture
def account(new_account: NewAccount) -> Account:
    return new_account(results=20, runs_per_result=1, in_flight=0)


class Repeating:
    """`sync --every` under way; one outcome after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def outcome(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait()}: {self.process.stderr and self.process.stderr.read()}"
        return json.loads(line)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit code and stderr; within two seconds, or the test fails."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=2)
        return self.process.returncode, err


@contextmanager
def repeating(account: Account, *options: str, patience: float = 60) -> Iterator[Repeating]:
    process = account.spawn(*options)
    guard = threading.Timer(patience, process.kill)
    guard.start()
    try:
        yield Repeating(process)
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


def test_each_sync_prints_its_own_line_and_brings_what_is_new(account: Account) -> None:
    with repeating(account, "--every", "1s") as job:
        first = job.outcome()
        account.world.insert(2)
        later = job.outcome()
        while not later["changed"]:  # it may have begun before the two came
            later = job.outcome()

    assert (first["mode"], first["inserted"]) == ("full", 20)
    assert (later["mode"], later["inserted"]) == ("quick", 2)
    account.assert_equals_api()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_two_syncs_is_a_clean_end(account: Account, number: signal.Signals) -> None:
    with repeating(account, "--every", "1h") as job:
        assert job.outcome()["outcome"] == "ok"
        code, err = job.stop(number)

    assert (code, err) == (0, "")
    account.assert_equals_api()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_a_sync_stops_it_and_nothing_has_changed(
    account: Account, number: signal.Signals, code: int
) -> None:
    with repeating(account, "--every", "1s") as job:
        job.outcome()
        before = account.stored()
        hanging = threading.Event()

        def hang(_: Request) -> Answer:
            hanging.set()
            return Answer(delay=20)

        account.sandbox.intercept = hang
        account.world.insert(1)
        assert hanging.wait(10)
        ended, err = job.stop(number)

    assert ended == code, err
    assert "nothing was changed" in err
    assert account.stored() == before


def test_a_signal_that_comes_during_the_swap_is_heeded_after_it(account: Account) -> None:
    """As the one to whom a supervisor's only SIGTERM comes at the moment that it must not interrupt."""
    program = (
        "import os, signal, sys; from cekura_sync.warehouse import swap; commit = swap.Swap.commit\n"
        "def signalled(self, write, swapping):\n"
        "    commit(self, write, lambda: (swapping(), os.kill(os.getpid(), signal.SIGTERM)))\n"
        "swap.Swap.commit = signalled\n"
        "from cekura_sync.__main__ import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "sync", "--every", "1h", "--json"],
        env=os.environ | account.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["inserted"] == 20
    assert ran.stderr.endswith("Stopped between two syncs.\n")
    account.assert_equals_api()


def test_a_sync_that_fails_is_told_with_its_exit_code_and_the_next_one_comes(account: Account) -> None:
    account.sandbox.faults.append(Fault("redirect", last=1))

    with repeating(account, "--every", "3s") as job:
        failed = job.outcome()
        ok = job.outcome()
        code, err = job.stop()

    assert (failed["outcome"], failed["exit_code"]) == ("failed", 5)
    assert (ok["outcome"], ok["inserted"]) == ("ok", 20)
    assert code in (0, 143)  # a third may have begun by then
    told, then = err.splitlines()[:2]
    assert told == f"cekura-sync: {failed['error']}"
    assert re.fullmatch(r"cekura-sync: Exit code 5; the next sync starts in \d+ s\.", then)


def test_a_refused_key_ends_it_for_no_further_try_can_mend_that(account: Account) -> None:
    account.sandbox.faults.append(Fault("401"))

    ran = account.sync("--every", "1s")

    assert (ran.code, ran.json["exit_code"]) == (3, 3)
    assert len(account.sandbox.requests) == 1


@pytest.mark.parametrize(("every", "says"), [("0", "no time between"), ("often", "not a duration")])
def test_an_interval_that_is_none_exits_2_before_the_first_sync(
    account: Account, every: str, says: str
) -> None:
    ran = account.sync("--every", every)

    assert (ran.code, says in ran.err) == (2, True), ran.err
    assert account.sandbox.requests == []


def test_another_sync_on_the_warehouse_does_not_end_it(account: Account) -> None:
    with repeating(account, "--every", "1s") as job:
        job.outcome()
        with (account.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            outcomes = [job.outcome() for _ in range(2)]
        ok = [job.outcome() for _ in range(2)][-1]

    assert outcomes[-1]["exit_code"] == 8
    assert ok["outcome"] == "ok"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see into another process")
def test_memory_threads_and_open_files_stay_as_they_were_however_many_syncs_there_are(
    account: Account,
) -> None:
    """Each sync writes. The first tenth may still grow: imports, pools, caches that fill."""
    seen: list[tuple[int, int, int]] = []
    with repeating(account, "--every", "1s", patience=60 + 5 * CYCLES) as job:
        proc = Path(f"/proc/{job.process.pid}")
        for cycle in range(CYCLES):
            assert job.outcome()["outcome"] == "ok"
            account.world.insert(1)
            account.sandbox.reset_requests()
            seen.append(footprint(proc))
            if cycle % 50 == 49:
                print(
                    f"cycle {cycle + 1}: {seen[-1][0] // MIB} MiB, threads and files {seen[-1][1:]}",
                    flush=True,
                )

    settled, last = seen[max(3, CYCLES // 10)], seen[-1]
    assert last[0] - settled[0] < 40 * MIB, [memory // MIB for memory, _, _ in seen]
    assert last[1] <= settled[1] + 2, "threads are left behind"
    assert last[2] <= settled[2] + 2, "files are left open"


def footprint(proc: Path) -> tuple[int, int, int]:
    """Resident memory in KiB, threads, open files."""
    status = (proc / "status").read_text()

    def number(name: str) -> int:
        return int(re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)[1])  # type: ignore[index]

    return number("VmRSS"), number("Threads"), len(list((proc / "fd").iterdir()))
