"""`make bench`: whole processes against the stand-in API, as ratios to the baselines beside this file.

    python run.py [--results N] [--runs N] [--only CASE]

Every figure is the median of several runs; the commands of a case take turns, so that a machine that slows down slows all.
"""

import argparse
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

from cekura_sync.sandbox import Sandbox, World

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


class Bench:
    """One served account, and a place for the files of the commands."""

    def __init__(self, sandbox: Sandbox, folder: Path, runs: int) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.runs = runs

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

    def run(self, command: list[str]) -> Run:
        environment = os.environ | {"CEKURA_API_KEY": self.sandbox.key, "CEKURA_API_URL": self.sandbox.url}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} exited {process.returncode}")
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / MEGABYTE)

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
        f"{case:<26} {name:<10} {mine.wall:7.2f} {mine.cpu:7.2f} {mine.memory:7.0f} {mine.requests:9} {ratio}  {limit}"
    )


def first_sync(bench: Bench, latency: float, limit: str) -> None:
    bench.sandbox.latency = latency
    commands = {"ours": bench.ours("ours.duckdb"), "bare": bench.bare("bare.duckdb")}
    medians = bench.compare(commands, bench.forget)
    case = f"first sync, {latency * 1000:.0f} ms"
    if latency:
        medians |= bench.compare({"rest_api": bench.rest_api("rest.duckdb")}, bench.forget, runs=1)
    for name, figures in medians.items():
        line(
            case, name, figures, medians["bare"] if name != "bare" else None, limit if name == "ours" else ""
        )


def nothing_new(bench: Bench, latency: float, limit: str) -> None:
    bench.sandbox.latency = latency
    bench.forget()
    bench.run(bench.ours("ours.duckdb"))
    imports = [sys.executable, "-c", "import click, duckdb, httpx"]
    medians = bench.compare({"ours": bench.ours("ours.duckdb"), "imports": imports})
    for name, figures in medians.items():
        line(
            f"nothing new, {latency * 1000:.0f} ms",
            name,
            figures,
            medians["imports"],
            limit if name == "ours" else "",
        )


def some_changes(bench: Bench, latency: float, limit: str) -> None:
    world = bench.sandbox.world
    bench.sandbox.latency = latency
    bench.forget()
    bench.run(bench.ours("ours.duckdb"))
    bring_back = bench.snapshot()
    world.insert(50)
    for number, id_ in enumerate(sorted(world.results)[:200]):
        world.edit(id_, name=f"edited {number}")
    bench.sandbox.warm()
    commands = {"ours": bench.ours("ours.duckdb", "--full"), "bare": bench.bare("bare.duckdb")}
    medians = bench.compare(commands, bring_back)
    for name, figures in medians.items():
        line("50 new, 200 edited, full", name, figures, medians["bare"], limit if name == "ours" else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.results:,} results, medians of {arguments.runs} runs\n")
    print(
        f"{'case':<26} {'command':<10} {'wall s':>7} {'cpu s':>7} {'MB':>7} {'requests':>9} {'wall ×':>6} {'cpu ×':>6}  target"
    )
    world = World(results=arguments.results, runs_per_result=10, in_flight=0, seed=3)
    with tempfile.TemporaryDirectory() as folder, Sandbox(world) as sandbox:
        sandbox.warm()
        place = Path(folder) / "work"
        place.mkdir()
        bench = Bench(sandbox, place, arguments.runs)
        first_sync(bench, 0.05, "wall 1.3, cpu 1.6, 320 MB; rest_api 6 × slower")
        first_sync(bench, 0.0, "wall 1.6")
        nothing_new(bench, 0.0, "wall 1.5 × imports + 0.15 s")
        some_changes(bench, 0.05, "wall 1.5")


if __name__ == "__main__":
    main()
