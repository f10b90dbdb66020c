"""File names, working directories and memory limits: what stands around a sync and is not the API."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cekura_sync import errors
from cekura_sync.console import failure
from cekura_sync.warehouse import place
from support.harness import PATIENCE, Account


@pytest.fixture
def quick(new_account: Callable[..., Account]) -> Account:
    return new_account(results=20, runs_per_result=1, in_flight=0)


@pytest.mark.parametrize(
    "name",
    [
        "cekura.prod.duckdb",
        "Analytics.2026.db",
        ".cekura.duckdb",
        "team.x",
        "cekura",
        "main.duckdb",
        "temp.a.b",
    ],
)
def test_a_warehouse_named_like_a_schema_up_to_its_first_dot_is_refused(
    quick: Account, tmp_path: Path, name: str
) -> None:
    ran = quick.sync("--warehouse", str(tmp_path / name))

    assert (ran.code, f"may not be called '{name}'" in ran.err) == (2, True), ran.err
    assert not (tmp_path / name).exists()


def test_a_name_with_a_schema_after_its_first_dot_is_readable(quick: Account, tmp_path: Path) -> None:
    path = tmp_path / "prod.cekura.duckdb"

    assert quick.sync("--warehouse", str(path)).code == 0
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select count(*) from analytics.results").fetchall() == [(20,)]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that is deleted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


@pytest.mark.long
@pytest.mark.usefixtures("nowhere")
def test_a_working_directory_that_is_gone_hinders_nothing_with_absolute_paths(settled: Account) -> None:
    settled.world.insert(1)

    ran = settled.sync()

    assert (ran.code, ran.err) == (0, "")
    settled.assert_equals_api()
    for command in (["query", "select 1"], ["status"], ["check"], ["build"]):
        assert settled.run(*command).code == 0, command


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("command", [["sync"], ["status"], ["query", "select 1"]])
def test_a_relative_path_from_a_working_directory_that_is_gone_is_told(
    quick: Account, command: list[str]
) -> None:
    ran = quick.run(*command, CEKURA_WAREHOUSE="w.duckdb")

    assert (ran.code, "working directory no longer exists" in ran.err) == (2, True), ran.err


def test_a_limit_on_the_address_space_that_no_sync_survives_is_told_before(quick: Account) -> None:
    limit = (
        "import resource, sys; from cekura_sync.__main__ import main; "
        "resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20)); main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", limit, "sync"],
        env=os.environ | quick.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (ran.returncode, "limited to 600 MiB" in ran.stderr) == (9, True), ran.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("pyarrow/lib.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
        duckdb.OutOfMemoryException("Out of Memory Error: Failed to allocate block of 262144 bytes"),
        duckdb.Error("std::bad_alloc"),
    ],
    ids=repr,
)
def test_exhausted_memory_is_no_bug_of_ours_however_a_library_says_it(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    wrapped = errors.WarehouseError("None cannot be opened")
    wrapped.__cause__ = error

    for each in (error, wrapped):
        assert failure.report_failure(each, as_json=False) == 9
        assert capsys.readouterr().err.startswith("cekura-sync: There is not enough memory: raise the limit")


def test_a_warehouse_that_is_mounted_as_a_single_file_is_told_by_sync_and_doctor(
    quick: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's list of mounts is invented here: a test may mount nothing."""
    mounted = [(Path("/"), "ext4"), (quick.warehouse.resolve(), "ext4")]
    monkeypatch.setattr(place, "mounts", lambda: mounted)

    for ran in (quick.run("sync"), quick.run("doctor")):
        assert ran.code == 9
        assert "mount its directory instead" in ran.out + ran.err
