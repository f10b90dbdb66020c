"""`cekura_source` in real processes that are killed: after one more run the destination holds what the API lists.

CEKURA_TEST_KILLS=all kills before every change to a file, before every statement, around every commit of a table, and when one
table alone has been written, each time once with the working folder kept and once with it lost.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from cekura_sync.sandbox import Sandbox, World
from support.destinations import Filled
from support.harness import PATIENCE
from support.killing import KILL_POINTS
from support.processes import Started
from support.story import after_the_first_run

# dlt says so when it finds, and loads, what a killed run left.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
ALL = os.environ.get("CEKURA_TEST_KILLS") == "all"
ALONE = [f"table {table} alone" for table in ("results", "runs", "result_scenarios", "sync_log")]
POINTS = [
    ("delta", "table results alone", "lost"),
    pytest.param("duckdb", "table results alone", "lost", marks=pytest.mark.long),
]


class Killed:
    """A destination that has been filled once, and an account that has changed since then."""

    def __init__(self, kind: str, folder: Path, sandbox: Sandbox) -> None:
        self.filled = Filled(kind, folder / "now", sandbox)
        self.filled.folder.mkdir(parents=True)
        self._before = folder / "before"
        self._record = folder / "record"
        self.filled.run()
        after_the_first_run(sandbox.world)
        shutil.copytree(self.filled.folder, self._before)

    def points(self) -> list[str]:
        """All that a run passes, in their order."""
        assert self.run(CEKURA_TEST_RECORD=str(self._record)) == 0
        passed = [line.split(maxsplit=1)[1] for line in self._record.read_text().splitlines()]
        self._record.unlink()
        return passed

    def run(self, **env: str) -> int:
        """In a process of its own, from the state of before."""
        shutil.rmtree(self.filled.folder)
        shutil.copytree(self._before, self.filled.folder)
        sandbox = self.filled.sandbox
        arguments = [self.filled.kind, str(self.filled.folder), sandbox.key, sandbox.url]
        process = Started(
            arguments,
            os.environ
            | KILL_POINTS
            | {"CEKURA_WAREHOUSE": str(self.filled.folder / "x")}
            | {"RUNTIME__DLTHUB_TELEMETRY": "false"}
            | env,
            program="support.their_run",
        )
        _, err = process.communicate(PATIENCE)
        assert process.returncode in (0, -signal.SIGKILL), err
        return process.returncode or 0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(results=25, agents=2, runs_per_result=2, days=20, in_flight=2)) as server:
        yield server


@pytest.mark.parametrize(("kind", "point", "folder"), POINTS)
def test_after_one_more_run_the_destination_holds_what_the_api_lists(
    sandbox: Sandbox, tmp_path: Path, kind: str, point: str, folder: str
) -> None:
    killed = Killed(kind, tmp_path, sandbox)
    assert killed.run(CEKURA_TEST_POINT=point) == -signal.SIGKILL

    _one_more_run(killed, folder)


@pytest.mark.skipif(not ALL, reason="CEKURA_TEST_KILLS=all kills at every point")
@pytest.mark.parametrize("kind", ["duckdb", "delta"])
def test_at_every_point(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    killed = Killed(kind, tmp_path, sandbox)
    points = [*ALONE, *numbered(killed.points())]
    reached, failures = 0, []
    for point, folder in product(points, ("state", "lost")):
        reached += killed.run(CEKURA_TEST_POINT=point) != 0
        try:
            _one_more_run(killed, folder)
        except Exception as error:
            failures.append(f"killed at {point}, working folder {folder}: {error!r}")
    print(f"{kind}: {len(points)} points, {reached} kills")
    assert failures == []
    assert reached > len(points), "most of them were reached"


def numbered(passed: list[str]) -> list[str]:
    """Points whose names differ from run to run by their number."""
    files, statements = (
        [f"{kind}:{number + 1}" for number in range(sum(name.startswith(kind) for name in passed))]
        for kind in ("file", "statement")
    )
    return [*dict.fromkeys(name for name in passed if " table " in name), *statements, *files]


def _one_more_run(killed: Killed, folder: str) -> None:
    shutil.rmtree(killed.filled.folder / "lost", ignore_errors=True)
    try:
        killed.filled.run(state=folder)
    except PipelineStepFailed:  # dlt was killed while it tidied this folder: it goes on without it
        assert folder == "state"
        killed.filled.run(state="lost")
    killed.filled.assert_equals_api()
