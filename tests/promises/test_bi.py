"""The published file as BI tools use it: with the older drivers that they carry, through SQLAlchemy, and kept open for days.

`make readers` installs the drivers beside the environment that runs the tests. Without them their tests are skipped, or,
with CEKURA_TEST_READERS=all, fail.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cekura_sync.models import runner
from cekura_sync.sandbox import Sandbox, World
from support.drivers import OURS, VERSIONS, python_with
from support.harness import LONG, PATIENCE, Account
from support.planted import plant_a_new_failure
from support.rare import rare

WITH_SQLALCHEMY = "1.4.5"
READER = Path(__file__).parents[1] / "support" / "bi_reader.py"
SOME = ("results", "agent_pass_rate", "agent_daily")  # where it is about the file, and not about the views
# DuckDB 1.1 plans these for seconds, however few rows there are; it binds them, and agent_last_week holds the same comparison.
SLOW = {"result_trend", "agent_version_pass_rate", "agent_change_point"}
ZONES = ["UTC", "Asia/Kolkata"]
NOW = datetime.now(UTC)

Views = dict[str, Any]


class Tool:
    """A process that has the warehouse open."""

    def __init__(self, version: str, path: Path, how: str = "read", door: str = "duckdb") -> None:
        self.process = subprocess.Popen(
            [python_with(version), "-I", "-W", "ignore", str(READER), str(path), how, door],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self._line()
        assert version in (OURS, self.version)

    def sees(self, *views: str, zone: str = "UTC") -> Views:
        """These views, or every one: its columns, their types, and its rows in an order of their own."""
        self._say(" ".join([zone, *views]))
        # To twelve digits: versions of DuckDB interpolate a percentile in another order.
        views = json.loads(self._line(), parse_float=lambda digits: float(f"{float(digits):.12g}"))
        for view in views.values():
            view["rows"].sort(key=json.dumps)
        return views

    def reconnect(self) -> None:
        self._say("reconnect")

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        print(word, file=self.process.stdin, flush=True)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the reader has ended with {self.process.wait(PATIENCE)}"
        return line.strip()


@pytest.fixture
def open_with() -> Iterator[Callable[..., Tool]]:
    tools = []

    def start(*arguments: Any, **options: Any) -> Tool:
        tools.append(Tool(*arguments, **options))
        return tools[-1]

    yield start
    for tool in tools:
        tool.process.kill()
        tool.process.communicate()


def diverse_world() -> World:
    """Something to see in every view."""
    world = World(results=150, agents=4, runs_per_result=3, days=30, in_flight=2, now=NOW, versions=2)
    plant_a_new_failure(world, NOW)
    world.insert(1, status="running", created_at=NOW - timedelta(hours=3))
    world.edit(next(iter(world.results)), failed_runs_count=99)
    return world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A warehouse made by a real sync with our own DuckDB."""
    with Sandbox(diverse_world()) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("bi") / "warehouse.duckdb")
        changes = account.warehouse.with_name("changes.csv")
        changes.write_text(f"agent_id,at,note\n,{NOW - timedelta(days=7):%Y-%m-%d},New voice\n")
        assert account.sync("--details", "--changes", str(changes)).code == 0
        yield account.warehouse


@pytest.fixture(scope="module")
def expected(published: Path) -> dict[str, Views]:
    """What our own DuckDB reads there, in each time zone; elsewhere than at home some views are enough."""
    tool = Tool(OURS, published)
    seen = {ZONES[0]: tool.sees(zone=ZONES[0]), ZONES[1]: tool.sees(*SOME, zone=ZONES[1])}
    tool.process.communicate("")
    return seen


@pytest.mark.parametrize(
    ("version", "door"),
    [
        (VERSIONS[0], "duckdb"),
        *(pytest.param(version, "duckdb", marks=pytest.mark.long) for version in VERSIONS[1:]),
        (WITH_SQLALCHEMY, "sqlalchemy"),
    ],
)
def test_an_older_driver_reads_the_same_rows_in_every_view(
    published: Path, expected: dict[str, Views], open_with: Callable[..., Tool], version: str, door: str
) -> None:
    tool = open_with(version, published, door=door)

    """In every run, each view is read by one of them."""
    every = expected[ZONES[0]].keys()
    some = [] if LONG else sorted(every - SLOW) if version == VERSIONS[0] else sorted({*SLOW, *SOME})
    at_home, elsewhere = tool.sees(*some, zone=ZONES[0]), tool.sees(*SOME, zone=ZONES[1])

    assert at_home.keys() == ({*some} or every)
    for zone, seen in zip(ZONES, (at_home, elsewhere), strict=True):
        for view in seen:
            assert seen[view] == expected[zone][view], view


@pytest.mark.parametrize("version", [VERSIONS[0], *rare(*VERSIONS[1:]), OURS])
def test_a_warehouse_that_is_attached_under_another_name_answers(published: Path, version: str) -> None:
    """DuckDB 1.1 looks for a view's tables in the database in use; later versions look where the view is."""
    use = "con.execute('use wh');" if version == "1.1.3" else ""
    views = {path.stem for path in runner.models_dir().glob("*.sql")}
    script = (
        f"import duckdb, sys; con = duckdb.connect(); con.execute(f\"attach '{{sys.argv[1]}}' as wh (read_only)\"); {use}"
        "[con.execute('describe select * from wh.analytics.' + view).fetchall() for view in sys.argv[2:]]; print(len(sys.argv[2:]))"
    )

    ran = subprocess.run(
        [python_with(version), "-I", "-c", script, str(published), *views],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout.strip()) == (0, str(len(views))), ran.stderr


def test_what_was_compared_is_worth_comparing(expected: dict[str, Views]) -> None:
    there, elsewhere = (expected[zone] for zone in ZONES)

    assert [view for view, seen in there.items() if not seen["rows"]] == []
    assert there["results"] != elsewhere["results"]
    assert there["agent_daily"] == elsewhere["agent_daily"]


def test_tools_of_every_version_keep_the_file_across_many_syncs_and_block_none(
    new_synced: Callable[..., Account], open_with: Callable[..., Tool]
) -> None:
    """All share a file for reading; one that writes locks out the others, so each of those has another sync's file."""
    account = new_synced(results=60, runs_per_result=1, in_flight=1)
    held: list[tuple[Tool, Views]] = []

    def hold(version: str, how: str) -> None:
        tool = open_with(version, account.warehouse, how)
        held.append((tool, tool.sees(*SOME)))

    def sync_with_news() -> None:
        account.world.delete(max(account.world.results))
        account.world.insert(3)
        ran = account.sync()
        assert (ran.code, ran.json["changed"]) == (0, True), ran.err
        account.assert_equals_api()

    versions = VERSIONS if LONG else VERSIONS[:1]
    for version in [*versions, OURS]:
        hold(version, "read")
    for version in versions:
        sync_with_news()
        hold(version, "write")
    for _ in range(10 if LONG else 1):
        sync_with_news()

    for tool, seen_first in held:
        assert tool.sees(*SOME) == seen_first, tool.version
    assert account.query("select count(*) from duckdb_tables() where table_name = 'mine'") == [(0,)]
    for tool, _ in held:
        tool.reconnect()
        assert len(tool.sees("results")["results"]["rows"]) == len(account.world.results), tool.version
        tool.process.communicate("")


def test_a_pool_of_connections_sees_new_data_once_it_is_disposed_of(
    settled: Account, open_with: Callable[..., Tool]
) -> None:
    account = settled
    tool = open_with(WITH_SQLALCHEMY, account.warehouse, door="sqlalchemy")
    before = tool.sees(*SOME)
    account.world.insert(1)
    assert account.sync().code == 0

    assert tool.sees(*SOME) == before
    tool.reconnect()
    assert len(tool.sees("results")["results"]["rows"]) == len(before["results"]["rows"]) + 1


def test_the_program_itself_runs_with_an_older_duckdb(
    new_account: Callable[..., Account], tmp_path: Path
) -> None:
    account = new_account(results=1500, runs_per_result=10, in_flight=0)
    older = {"PYTHONPATH": str(tmp_path / "older")}
    Path(older["PYTHONPATH"]).mkdir()
    for package in Path(python_with("1.5.6")).parents[1].glob("lib/python*/site-packages/*duckdb*"):
        Path(older["PYTHONPATH"], package.name).symlink_to(package)
    version = [sys.executable, "-c", "import duckdb; print(duckdb.__version__)"]
    assert subprocess.check_output(version, env=os.environ | older, text=True) == "1.5.6\n"

    out, err = account.start(**older).communicate(timeout=PATIENCE)

    assert '"inserted": 1500' in out, err
    account.assert_equals_api()
