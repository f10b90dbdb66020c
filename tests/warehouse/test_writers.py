"""What others can do beside a sync: write to the file that it replaces, plant links, or sync where locks keep nobody out."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from cekura_sync.sandbox import Answer, Request
from support.harness import PATIENCE, Account
from support.rare import rare

WRITER = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
for line in sys.stdin:
    try:
        con.execute(line)
        print("written", flush=True)
    except duckdb.Error as error:
        print("refused", flush=True)
"""
UNLOCKED = "import fcntl; fcntl.flock = lambda *_: None; from cekura_sync.__main__ import main; main()"


@pytest.fixture
def account(new_synced: Callable[..., Account]) -> Account:
    return new_synced(results=20, runs_per_result=1, in_flight=0)


@contextmanager
def writing(account: Account) -> Iterator["subprocess.Popen[str]"]:
    """A program that has the published file open for writing until the end."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(account.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        yield writer
        assert writer.stdin is not None
        writer.stdin.close()


def say(process: "subprocess.Popen[str]", sql: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{sql}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.parametrize("wrote_before", [*rare(False), True])
def test_a_program_that_had_the_old_file_open_for_writing_cannot_change_what_readers_find(
    account: Account, wrote_before: bool
) -> None:
    with writing(account) as writer:
        statement = "update cekura.runs set status = 'mine'" if wrote_before else "select 1"
        assert say(writer, statement) == "written"
        account.world.insert(2)
        assert account.sync().code == 0
        say(writer, "delete from cekura.runs")
        say(writer, "checkpoint")
        say(writer, "delete from cekura.results")

        account.assert_equals_api()
        account.world.insert(1)
        assert account.sync().code == 0
        say(writer, "create table main.mine as select 1 as a")
        account.assert_equals_api()
        with duckdb.connect(
            str(account.warehouse)
        ) as reader:  # a program may write to the new file all the while
            assert reader.execute("select count(*) from cekura.results").fetchall() == [(23,)]

    assert account.sync().code == 0
    account.assert_equals_api()
    assert {path.name for path in account.warehouse.parent.iterdir()} == {
        account.warehouse.name,
        account.home.name,
    }
    assert not (account.home / "replaced").exists()


def test_an_erase_says_where_a_program_still_holds_what_was_erased(account: Account) -> None:
    erased, other = sorted(account.world.results)[:2]
    with writing(account) as writer:
        assert say(writer, "select 1") == "written"
        ran = account.run("erase", "--result", str(erased))

    assert ran.code == 0
    assert (
        f"Another program has the previous file open for writing. {account.home / 'replaced'} keeps"
        in ran.err
    )
    later = account.run("erase", "--result", str(other))
    assert (later.code, "Another program" in later.err) == (0, False)
    assert not (account.home / "replaced").exists()


def test_a_link_planted_beside_the_warehouse_is_never_followed(account: Account, tmp_path: Path) -> None:
    """Under the name that version 0.1.0 used, and under each name that the sync makes while it runs."""
    victim = tmp_path / "precious"
    victim.write_text("do not lose this")
    account.warehouse.with_name(".warehouse.duckdb.new").symlink_to(victim)

    def plant(_: Request) -> Answer | None:
        link = account.warehouse.with_name(".warehouse.duckdb.new")
        if not link.is_symlink():
            link.symlink_to(victim)
        return None

    account.sandbox.intercept = plant
    account.world.insert(1)

    assert account.sync().code == 0
    assert victim.read_text() == "do not lose this"
    assert not account.warehouse.is_symlink()
    account.assert_equals_api()


def test_where_locks_keep_nobody_out_the_sync_that_was_overtaken_changes_nothing(account: Account) -> None:
    codes = []

    def meanwhile(_: Request) -> Answer | None:
        if not codes:
            codes.append(0)
            process = spawn()
            process.communicate(timeout=PATIENCE)
            codes[0] = process.returncode
        return None

    def spawn() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", UNLOCKED, "sync", "-q", "--full"]
        return subprocess.Popen(command, env=account.env, stderr=subprocess.PIPE, text=True)

    account.world.insert(1)
    account.sandbox.intercept = meanwhile
    first = spawn()
    _, err = first.communicate(timeout=PATIENCE)

    assert (codes, first.returncode) == ([0], 8)
    assert "the file system does not keep locks" in err
    account.assert_equals_api()
    assert account.sync("--full").code == 0
    account.assert_equals_api()
