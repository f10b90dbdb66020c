"""`export`: what the files hold, that they come all or not at all, and that they are nobody else's to read."""

import csv
import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from cekura_sync.sandbox import Sandbox, World
from cekura_sync.warehouse import export
from support.engines import comparable
from support.harness import PATIENCE, Account, connect
from support.rare import rare

NAMES = ("agent_pass_rate", "agents", "results", "runs")
VIEWS = "select view_name from duckdb_views() where schema_name = 'analytics' order by 1"


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One warehouse for all: nothing here changes it."""
    with Sandbox(World(results=60, agents=2, in_flight=2, runs_per_result=3)) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("export") / "warehouse.duckdb")
        _fill(account)
        yield account


def _fill(account: Account) -> None:
    account.world.insert(
        name='=HYPERLINK("http://evil")',
        agent_name='+1, "quoted"\nnext line',
        run_type="-2",
        success_rate=-0.0,
    )
    account.world.insert(name="\n=1", agent_name="＝1", run_type=" +1")
    account.world.insert(name="@sum", agent_name="\ttab", run_type="\rreturn")
    account.world.insert(name="'= already", agent_name="Café =1", run_type="")
    assert account.sync().code == 0


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        return sorted(csv.DictReader(lines), key=lambda row: int(row["id"]))


def test_by_default_every_analytics_view_is_a_parquet_file_that_says_the_same(
    synced: Account, tmp_path: Path
) -> None:
    ran = synced.run("export", "--to", str(tmp_path / "new" / "out"))

    views = [name for (name,) in synced.query(VIEWS)]
    assert (ran.code, ran.out) == (0, "")
    assert f"Wrote {len(views)} files to " in ran.err
    assert sorted(file.name for file in (tmp_path / "new" / "out").iterdir()) == [
        f"{view}.parquet" for view in views
    ]
    with connect(synced.warehouse) as con:
        for view in views:
            file = f"read_parquet('{tmp_path}/new/out/{view}.parquet')"
            written, computed = (con.sql(f"from {rows}") for rows in (file, f"analytics.{view}"))
            assert (written.columns, written.types) == (computed.columns, computed.types), view
            # The last digit of a sum depends on the order in which threads add.
            assert comparable(written.fetchall()) == comparable(computed.fetchall()), view


def test_chosen_views_and_tables_as_csv(synced: Account, tmp_path: Path) -> None:
    ran = synced.run(
        "export",
        "--to",
        str(tmp_path / "out"),
        "--format",
        "csv",
        "agent_pass_rate",
        "cekura.results",
        "analytics.results",
    )

    assert ran.code == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "agent_pass_rate.csv",
        "cekura.results.csv",
        "results.csv",
    ]
    rows = {int(row["id"]): row for row in read_csv(tmp_path / "out" / "cekura.results.csv")}
    stored = synced.query(
        "select id, name, agent_name, strftime(created_at at time zone 'UTC', '%Y-%m-%d %H:%M:%S.%fZ'), is_cronjob, total_runs_count from cekura.results"
    )
    assert len(rows) == len(stored)
    for id_, name, agent_name, created_at, is_cronjob, total in stored:
        row = rows[id_]
        assert (row["name"], row["agent_name"]) == (name, agent_name)
        assert row["created_at"] == created_at
        assert row["deleted_at"] == ""
        assert row["is_cronjob"] == str(is_cronjob).lower()
        assert row["total_runs_count"] == str(total)


def test_a_view_without_rows_is_a_file_with_its_columns(synced: Account, tmp_path: Path) -> None:
    for file_format in ("csv", "parquet"):
        assert (
            synced.run("export", "--to", str(tmp_path), "--format", file_format, "agent_change_effect").code
            == 0
        )

    header = (tmp_path / "agent_change_effect.csv").read_text().splitlines()
    columns = parquet.read_schema(tmp_path / "agent_change_effect.parquet").names
    assert header == [",".join(f'"{name}"' for name in columns)]
    assert "verdict" in columns


def test_for_a_spreadsheet_no_text_is_a_formula_and_numbers_stay_numbers(
    synced: Account, tmp_path: Path
) -> None:
    synced.run("export", "--to", str(tmp_path), "--format", "csv", "--for-spreadsheet", "cekura.results")

    rows = read_csv(tmp_path / "cekura.results.csv")[-4:]

    assert (tmp_path / "cekura.results.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert [(row["name"], row["agent_name"], row["run_type"]) for row in rows] == [
        ('\'=HYPERLINK("http://evil")', '\'+1, "quoted"\nnext line', "'-2"),
        ("'\n=1", "'＝1", "' +1"),
        ("'@sum", "'\ttab", "'\rreturn"),
        ("'= already", "Café =1", ""),
    ]
    assert float(rows[0]["success_rate"]) == 0
    assert all(row["id"].isdigit() for row in rows)


def test_without_the_option_text_is_as_it_is(synced: Account, tmp_path: Path) -> None:
    synced.run("export", "--to", str(tmp_path), "--format", "csv", "cekura.results")

    assert read_csv(tmp_path / "cekura.results.csv")[-2]["name"] == "@sum"


def test_new_files_are_for_their_owner_alone_and_replaced_ones_for_whom_they_were(
    synced: Account, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert synced.run("export", "--to", str(out), "results", "runs").code == 0
    (out / "runs.parquet").chmod(0o644)

    assert synced.run("export", "--to", str(out), "results", "runs").code == 0

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()}
    assert modes == {"results.parquet": 0o600, "runs.parquet": 0o644}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "cekura.nothing",
        "cekura._watermarks",
        "main.results",
        "read_csv('/etc/passwd')",
        "/etc/passwd",
        "results\" union select * from \"read_text('/etc/passwd')",
        "",
    ],
)
def test_what_is_no_view_and_no_table_is_a_usage_error_and_leaves_nothing(
    synced: Account, tmp_path: Path, name: str
) -> None:
    ran = synced.run("export", "--to", str(tmp_path / "out"), "results", name)

    assert ran.code == 2
    assert re.search(
        rf"There is no view or table '{re.escape(name)}': (choose among .*agent_pass_rate.*\.|did you mean [\w.]+\?) `cekura-sync views`",
        ran.err,
    )
    assert not (tmp_path / "out").exists()


def test_an_apostrophe_for_formulas_is_a_matter_of_csv(synced: Account, tmp_path: Path) -> None:
    assert synced.run("export", "--to", str(tmp_path), "--for-spreadsheet").code == 2
    assert synced.run("export", "results").code == 2
    assert synced.run("export", "--to", "", "results").code == 2


def test_without_a_warehouse_there_is_nothing_to_export(account: Account, tmp_path: Path) -> None:
    ran = account.run("export", "--to", str(tmp_path / "out"))

    assert ran.code == 9
    assert "There is no warehouse at " in ran.err
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_directory_is_told(synced: Account, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")

    ran = synced.run("export", "--to", str(tmp_path / "out"))

    assert ran.code == 9
    assert f"{tmp_path / 'out'} cannot be written: File exists." in ran.err
    assert (tmp_path / "out").read_text() == "mine"


def test_the_directory_of_the_warehouse_itself_is_refused(synced: Account) -> None:
    ran = synced.run("export", "--to", str(synced.home / "out"))

    assert ran.code == 2
    assert "belongs to the warehouse itself" in ran.err
    assert not (synced.home / "out").exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_named_before_any_file_is_replaced(
    synced: Account, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    views = ("agent_pass_rate", "results")
    assert synced.run("export", *views, "--to", str(out), "--format", "csv").code == 0
    (out / "results.csv").unlink()
    make(out / "results.csv")
    (out / "agent_pass_rate.csv").write_text("of before")

    ran = synced.run("export", *views, "--to", str(out), "--format", "csv")

    assert (ran.code, f"{out / 'results.csv'} is not a file: move it away" in ran.err) == (9, True), ran.err
    assert (out / "agent_pass_rate.csv").read_text() == "of before"
    assert {file.name for file in out.iterdir()} == {"agent_pass_rate.csv", "results.csv"}


@pytest.mark.parametrize("file_format", [*rare("csv"), "parquet"])
def test_a_disk_that_is_full_leaves_the_files_before_as_they_were(
    synced: Account, tmp_path: Path, file_format: str
) -> None:
    out = tmp_path / "out"
    options = ("export", "--to", str(out), "--format", file_format, *NAMES)
    assert synced.run(*options).code == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    # A limit on the size of files stands for the disk: it, too, lets a write begin and then refuses.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000));"
        "from cekura_sync.__main__ import main; sys.argv = ['cekura-sync', *sys.argv[1:]]; sys.exit(main())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *options],
        env=os.environ | synced.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 9, ran.stderr
    assert f"{out} cannot be written: File too large." in ran.stderr
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


AT_THE_SECOND_RENAME = """
import os, pathlib, signal, sys
from cekura_sync.__main__ import main
sent, renamed, replace = int(sys.argv.pop()), [], pathlib.Path.replace
def count(self, target):
    moved = replace(self, target)
    if ".cekura-export-" in str(self):
        renamed.append(target)
        if len(renamed) == 2:
            os.kill(os.getpid(), sent)
    return moved
pathlib.Path.replace = count
main()
"""


def export_hit_by(signal_: int, account: Account, to: Path, *names: str) -> int:
    """The command in a process of its own, which gets the signal between its second and third rename."""
    command = [sys.executable, "-c", AT_THE_SECOND_RENAME, "export", "--to", str(to), "--format", "csv"]
    ran = subprocess.run(
        [*command, *names, str(signal_)],
        env=os.environ | account.env,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    return ran.returncode


def test_a_signal_between_two_renames_comes_too_late_to_mix_two_exports(
    synced: Account, tmp_path: Path
) -> None:
    assert export_hit_by(signal.SIGTERM, synced, tmp_path, *NAMES) == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.csv" for name in NAMES]


def test_an_export_killed_between_two_renames_is_finished_by_the_next_one(
    synced: Account, tmp_path: Path
) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.csv").write_text("of an earlier sync")
    assert export_hit_by(signal.SIGKILL, synced, tmp_path, *NAMES) == -signal.SIGKILL
    assert [(tmp_path / f"{name}.csv").read_text() == "of an earlier sync" for name in NAMES] == [
        False,
        False,
        True,
        True,
    ]

    assert synced.run("export", "--to", str(tmp_path), "--format", "csv", "stuck_results").code == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.csv" for name in (*NAMES, "stuck_results")
    )
    assert all((tmp_path / f"{name}.csv").read_text() != "of an earlier sync" for name in NAMES)


def test_what_an_export_killed_before_its_renames_leaves_is_removed_and_a_running_one_is_let_be(
    synced: Account, tmp_path: Path
) -> None:
    killed, running = tmp_path / ".cekura-export-killed", tmp_path / ".cekura-export-running"
    for folder in (killed, running):
        folder.mkdir()
        (folder / "agents.csv").write_text("half")
    descriptor = os.open(running, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    file, link = tmp_path / ".cekura-export-notes", tmp_path / ".cekura-export-link"
    file.write_text("somebody's")
    link.symlink_to(running)

    assert synced.run("export", "--to", str(tmp_path), "--format", "csv", "results").code == 0
    os.close(descriptor)

    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [link.name, file.name, running.name, "results.csv"]


def test_exports_that_begin_together_do_not_take_each_others_folders(
    synced: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each moment another one comes between, and takes the new folder for one that was killed."""
    make, glob, flock = tempfile.mkdtemp, Path.glob, fcntl.flock
    made: list[Path] = []
    held: list[int] = []

    def make_and_be_met(*arguments: Any, **options: Any) -> str:
        name = make(*arguments, **options)
        if Path(name).parent == tmp_path:
            made.append(Path(name))
            if len(made) == 1:
                export._settle(tmp_path)  # which removes it
            elif len(made) == 2:
                held.append(os.open(name, os.O_RDONLY))  # by the other one, which will remove it
                flock(held[0], fcntl.LOCK_EX)
        return name

    def lock_late(descriptor: int, how: int) -> None:
        if len(made) == 3 and made[2].exists():
            made[2].rmdir()
        flock(descriptor, how)

    def look_and_miss(path: Path, pattern: str) -> Iterator[Path]:
        """What it finds may be gone before it looks closer."""
        yield from glob(path, pattern)
        if path == tmp_path:
            yield tmp_path / ".cekura-export-ended"

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_be_met)
    monkeypatch.setattr(fcntl, "flock", lock_late)
    monkeypatch.setattr(Path, "glob", look_and_miss)

    ran = synced.run("export", "--to", str(tmp_path), "--format", "csv", "results")
    os.close(held[0])

    assert ran.code == 0, ran.err
    assert len(made) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [made[1].name, "results.csv"]
