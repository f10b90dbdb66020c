"""Times whole processes that take turns, against one served account."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from large import Large

    from cekura_sync.sandbox import Sandbox

HERE = Path(__file__).parent
MEGABYTE = 1024 * (1 if sys.platform == "linux" else 1024)


@dataclass(frozen=True)
class Run:
    wall: float  # seconds
    cpu: float  # seconds, of the process and the children it waited for
    memory: float  # MB at the peak


@dataclass(frozen=True)
class Medians:
    wall: float
    cpu: float
    memory: float
    requests: int


class Runner:
    """Starts the commands from a small process of its own: a child counts the memory of the one that it was forked from."""

    def __enter__(self) -> "Runner":
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, command: list[str], folder: str, environment: dict[str, str], expected: int = 0) -> Run:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, folder, environment]) + "\n")
        self._process.stdin.flush()
        code, *figures = json.loads(self._process.stdout.readline())
        if code != expected:
            raise SystemExit(f"{command} exited {code}")
        return Run(*figures)


def serve() -> None:
    """The runner's side: a command a line in; its exit code, seconds, CPU seconds and peak memory out."""
    for order in sys.stdin:
        command, folder, environment = json.loads(order)
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        print(json.dumps([process.returncode, wall, cpu, usage.ru_maxrss / MEGABYTE]), flush=True)


class Bench:
    """One served account, and a place for the files of the commands."""

    def __init__(
        self,
        runner: Runner,
        sandbox: "Sandbox | Large",
        folder: Path,
        runs: int,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.runner = runner
        self.sandbox = sandbox
        self.folder = folder
        self.runs = runs
        self._environment = environment or {}

    def ours(self, warehouse: str, *options: str) -> list[str]:
        return [sys.executable, "-m", "cekura_sync", "sync", "-q", "--warehouse", warehouse, *options]

    def bare(self, file: str) -> list[str]:
        return [sys.executable, str(HERE / "bare.py"), self.sandbox.url, self.sandbox.key, file]

    def rest_api(self, file: str) -> list[str]:
        script = str(HERE / "rest_api.py")
        return [sys.executable, script, self.sandbox.url, self.sandbox.key, file, f"{file}.pipelines"]

    def compare(
        self,
        commands: dict[str, list[str]],
        before: Callable[[], None] = lambda: None,
        runs: int | None = None,
    ) -> dict[str, Medians]:
        """Each command in turn, several times; `before` prepares each single run."""
        found: dict[str, list[Run]] = {name: [] for name in commands}
        requests: dict[str, int] = {}
        for _ in range(runs or self.runs):
            for name, command in commands.items():
                before()
                self.sandbox.reset_requests()
                found[name].append(self.run(command))
                requests[name] = len(self.sandbox.requests)
        return {name: _medians(found[name], requests[name]) for name in commands}

    def run(self, command: list[str], expected: int = 0) -> Run:
        environment = os.environ | {"CEKURA_API_KEY": self.sandbox.key, "CEKURA_API_URL": self.sandbox.url}
        environment |= self._environment
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return self.runner.run(command, str(self.folder), environment, expected)

    def forget(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def snapshot(self) -> Callable[[], None]:
        """Remember the folder as it is now; the returned function brings it back."""
        kept = Path(tempfile.mkdtemp(dir=self.folder.parent))
        shutil.copytree(self.folder, kept, dirs_exist_ok=True)

        def bring_back() -> None:
            self.forget()
            shutil.copytree(kept, self.folder, dirs_exist_ok=True)

        return bring_back


def _medians(runs: list[Run], requests: int) -> Medians:
    return Medians(
        *(statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "memory")),
        requests=requests,
    )


def line(case: str, name: str, mine: Medians, base: Medians | None = None, limit: str = "") -> None:
    ratio = f"{mine.wall / base.wall:6.2f} {mine.cpu / base.cpu:6.2f}" if base else f"{'':6} {'':6}"
    print(
        f"{case:<37} {name:<10} {mine.wall:7.2f} {mine.cpu:7.2f} {mine.memory:7.0f} {mine.requests:9} {ratio}  {limit}"
    )


if __name__ == "__main__":
    serve()
