"""`sync --every`: one process, a sync every so often, until it is stopped or a person must mend something.

CEKURA_TEST_CYCLES=500 makes the memory test a long one.
"""

import fcntl
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.sandbox import Answer, Fault, Request
from support.harness import HANG, PATIENCE, Account
from support.killing import KILL_POINTS
from support.processes import Started

CYCLES = int(os.environ.get("CEKURA_TEST_CYCLES", "6"))
MIB = 1024


class Repeating:
    """`sync --every` under way; one outcome after the other."""

    def __init__(self, process: Started) -> None:
        self.process = process

    def outcome(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait()}: {self.process.stderr and self.process.stderr.read()}"
        return json.loads(line)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first outcome that is so; some from before may still stand in the pipe."""
        while not wanted(outcome := self.outcome()):
            pass
        return outcome

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit code and stderr, long before an answer that hangs would come."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err


@contextmanager
def repeating(account: Account, *options: str, patience: float = 180) -> Iterator[Repeating]:
    process = account.spawn(*options)
    guard = threading.Timer(patience, process.kill)
    guard.start()
    try:
        yield Repeating(process)
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


def test_each_sync_prints_its_own_line_and_brings_what_is_new(settled: Account) -> None:
    with repeating(settled, "--every", "1s") as job:
        first = job.outcome()
        settled.world.insert(2)
        later = job.until(lambda outcome: outcome["changed"])

    assert (first["mode"], first["inserted"]) == ("quick", 0)
    assert (later["mode"], later["inserted"]) == ("quick", 2)
    settled.assert_equals_api()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_two_syncs_is_a_clean_end(settled: Account, number: signal.Signals) -> None:
    with repeating(settled, "--every", "1h") as job:
        assert job.outcome()["outcome"] == "ok"
        code, err = job.stop(number)

    assert (code, err) == (0, "")
    settled.assert_equals_api()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_a_sync_stops_it_and_nothing_has_changed(
    settled: Account, number: signal.Signals, code: int
) -> None:
    with repeating(settled, "--every", "1s") as job:
        job.outcome()
        before = settled.stored()
        hanging = threading.Event()

        def hang(_: Request) -> Answer:
            hanging.set()
            return Answer(delay=HANG)

        settled.sandbox.intercept = hang
        settled.world.insert(1)
        assert hanging.wait(PATIENCE)
        ended, err = job.stop(number)

    assert ended == code, err
    assert "what earlier syncs wrote stays, nothing else was changed" in err
    assert settled.stored() == before


def signalled(account: Account, point: str, *options: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a sync to which a supervisor's only SIGTERM comes at this point."""
    signal_there = {"CEKURA_TEST_POINT": point, "CEKURA_TEST_SIGNAL": str(signal.SIGTERM.value)}
    process = Started(["sync", "--json", *options], os.environ | account.env | KILL_POINTS | signal_there)
    out, err = process.communicate(timeout=PATIENCE)
    return process.wait(), out, err


def test_a_signal_that_comes_during_the_swap_is_heeded_after_it(settled: Account) -> None:
    """It must not be interrupted."""
    settled.world.insert(1)

    code, out, err = signalled(settled, "file:os.rename work.duckdb", "--every", "1h")

    assert code == 0, err
    assert json.loads(out)["inserted"] == 1
    assert err.endswith("Stopped between two syncs.\n")
    settled.assert_equals_api()


@pytest.mark.parametrize("every", [(), ("--every", "1h")], ids=["once", "every hour"])
def test_a_signal_that_comes_after_the_outcome_fails_no_sync(
    settled: Account, every: tuple[str, ...]
) -> None:
    code, out, err = signalled(settled, "after outcome", "-q", *every)

    assert (code, err) == (0, "")
    assert json.loads(out)["outcome"] == "ok"


def test_a_sync_that_fails_is_told_with_its_exit_code_and_the_next_one_comes(settled: Account) -> None:
    settled.world.insert(1)
    settled.sandbox.faults.append(Fault("redirect", last=1))

    with repeating(settled, "--every", "1s") as job:
        failed = job.outcome()
        ok = job.outcome()
        code, err = job.stop()

    assert (failed["outcome"], failed["exit_code"]) == ("failed", 5)
    assert (ok["outcome"], ok["inserted"]) == ("ok", 1)
    assert code in (0, 143)  # a third may have begun by then
    told, then = err.splitlines()[:2]
    assert told == f"cekura-sync: {failed['error']}"
    assert re.fullmatch(r"cekura-sync: Exit code 5; the next sync starts in \d+ s\.", then)


def test_a_refused_key_ends_it_for_no_further_try_can_mend_that(quick: Account) -> None:
    quick.sandbox.faults.append(Fault("401"))

    ran = quick.sync("--every", "1s")

    assert (ran.code, ran.json["exit_code"]) == (3, 3)
    assert len(quick.sandbox.requests) == 1


@pytest.mark.parametrize(("every", "says"), [("0", "no time between"), ("often", "not a duration")])
def test_an_interval_that_is_none_exits_2_before_the_first_sync(
    quick: Account, every: str, says: str
) -> None:
    ran = quick.sync("--every", every)

    assert (ran.code, says in ran.err) == (2, True), ran.err
    assert quick.sandbox.requests == []


def test_another_sync_on_the_warehouse_does_not_end_it(settled: Account) -> None:
    with repeating(settled, "--every", "1s") as job:
        job.outcome()
        with (settled.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refused = job.until(lambda outcome: outcome["outcome"] == "failed")
        job.until(lambda outcome: outcome["outcome"] == "ok")

    assert refused["exit_code"] == 8


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see into another process")
def test_memory_threads_and_open_files_stay_as_they_were_however_many_syncs_there_are(
    settled: Account,
) -> None:
    """Each sync writes. The first tenth may still grow: imports, pools, caches that fill."""
    seen: list[tuple[int, int, int]] = []
    with repeating(settled, "--every", "1s", patience=60 + 20 * CYCLES) as job:
        proc = Path(f"/proc/{job.process.pid}")

        def look(_: Request) -> None:
            """While it waits for the only answer of a sync: at the same point every time."""
            seen.append(footprint(proc))
            settled.world.insert(1)

        assert job.outcome()["outcome"] == "ok"
        settled.sandbox.intercept = look
        while len(seen) < CYCLES:
            assert job.outcome()["outcome"] == "ok"
            settled.sandbox.reset_requests()
            if len(seen) % 50 == 0:
                print(
                    f"cycle {len(seen)}: {seen[-1][0] // MIB} MiB, threads and files {seen[-1][1:]}",
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
