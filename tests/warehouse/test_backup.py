"""Backups are complete while syncs run, and come back; a warehouse that was replaced by hand is never undone silently."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from cekura_sync.diff import journal
from cekura_sync.sandbox import Answer, Request, Sandbox, World
from support.harness import PATIENCE, Account, NewAccount, stored
from support.rare import rare

KIND = {"results": 20, "runs_per_result": 1, "in_flight": 0}


@pytest.fixture
def account(new_synced: NewAccount) -> Account:
    return new_synced(**KIND)


def change_and_sync(account: Account) -> None:
    """All results are on one page, so a quick sync reads them all."""
    account.world.insert(1)
    account.world.edit(min(account.world.results), name=f"renamed {account.world.version}")
    assert account.sync().code == 0


def test_a_backup_taken_while_a_sync_runs_is_one_complete_sync(account: Account, tmp_path: Path) -> None:
    before, file = account.stored(), tmp_path / "backup.duckdb"
    codes = []

    def meanwhile(_: Request) -> Answer | None:
        if not codes:
            codes.append(account.run("backup", str(file)).code)
        return None

    account.world.insert(2)
    account.sandbox.intercept = meanwhile
    process = account.spawn()
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert codes == [0]
    assert stored(file) == before
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_backup_replaces_the_one_before_and_no_other_file(account: Account, tmp_path: Path) -> None:
    file, notes, cut = tmp_path / "backup.duckdb", tmp_path / "notes.txt", tmp_path / "cut.duckdb"
    notes.write_text("my notes")
    cut.write_bytes(account.warehouse.read_bytes()[:20_000])
    assert account.run("backup", str(file)).code == 0
    change_and_sync(account)
    assert account.run("backup", str(file)).code == 0
    assert stored(file) == account.stored()

    log = account.warehouse.with_name(f"{account.warehouse.name}.wal")  # readers would replay it
    for other in (
        notes,
        cut,
        account.warehouse,
        log,
        account.home / "base.duckdb",
        tmp_path,
        tmp_path / "none" / "x",
    ):
        ran = account.run("backup", str(other))
        assert (ran.code, "--warehouse" in ran.err) == (9, False), ran.err
    assert notes.read_text() == "my notes"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["backup.duckdb", "cut.duckdb", "notes.txt", account.warehouse.name, account.home.name]
    )


def test_a_backup_may_have_the_name_of_a_schema(account: Account, tmp_path: Path) -> None:
    for name in ("cekura", "cekura.monday"):
        for command in ("backup", "backup", "restore"):
            ran = account.run(command, str(tmp_path / f"{name}.duckdb"))
            assert ran.code == 0, ran.err


def test_a_warehouse_that_syncs_fill_and_a_pipe_are_no_place_for_a_backup(
    account: Account, new_synced: NewAccount, tmp_path: Path
) -> None:
    other, pipe = new_synced(warehouse="other.duckdb", **KIND).warehouse, tmp_path / "pipe"
    before = other.read_bytes()
    os.mkfifo(pipe)

    for place in (other, pipe):
        assert account.run("backup", str(place)).code == 9, place

    assert other.read_bytes() == before
    assert (
        account.run("query", "select 1", "--warehouse", str(pipe)).code == 9
    )  # and does not wait for a writer


def test_a_sync_that_was_refused_makes_no_warehouse_of_another_programs_file(
    account: Account, tmp_path: Path
) -> None:
    other = tmp_path / "theirs.duckdb"
    duckdb.connect(str(other)).close()
    assert account.sync("--warehouse", str(other)).code == 9

    ran = account.run("backup", str(other))

    assert (ran.code, "but not a warehouse of cekura-sync" in ran.err) == (9, True), ran.err


def test_a_backup_that_is_restored_is_the_warehouse_and_the_next_sync_goes_on_from_it(
    account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "backup.duckdb"
    assert account.run("backup", str(file)).code == 0
    old = account.stored()
    change_and_sync(account)
    last = account.query("select max(finished_at) from cekura.sync_log")

    ran = account.run("restore", str(file))

    assert ran.code == 0, ran.err
    assert "20 results. The next sync continues from there" in ran.err
    assert account.stored() == old
    assert account.query("select max(finished_at) from cekura.sync_log") < last
    status = account.run("status", "--json").json["last_sync"]
    assert duckdb.execute("select ?::timestamptz", [status]).fetchall() == account.query(
        "select max(finished_at) from cekura.sync_log"
    )
    assert account.sync().code == 0
    account.assert_equals_api()
    assert stored(file) == old


@pytest.mark.long
def test_a_restore_that_is_killed_once_readers_have_the_backup_leaves_no_record_of_a_sync_that_they_have_not(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    def kill(*_: object) -> None:
        raise Killed

    file = tmp_path / "backup.duckdb"
    assert account.run("backup", str(file)).code == 0
    old = account.stored()
    change_and_sync(account)
    monkeypatch.setattr(journal, "remove", kill)

    assert account.run("restore", str(file)).code != 0

    assert account.stored() == old
    assert account.run("status", "--max-age", "1h").code == 10
    assert "is not known" in account.run("status").out


@pytest.mark.long
def test_a_backup_is_restored_where_there_is_no_warehouse_and_where_the_base_is_damaged(
    account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "backup.duckdb"
    assert account.run("backup", str(file)).code == 0
    old = account.stored()

    (account.home / "base.duckdb").write_bytes(b"damaged")
    (journal := account.home / "journal.duckdb").write_bytes(b"an interrupted reading")
    assert account.run("restore", str(file)).code == 0
    assert not journal.exists()  # it belongs to what was replaced
    assert account.stored() == old
    account.warehouse.unlink()
    shutil.rmtree(account.home)
    assert account.run("restore", str(file)).code == 0

    assert account.stored() == old
    assert account.sync().code == 0
    account.assert_equals_api()


@pytest.mark.parametrize("content", ["", "my notes", None, "foreign", "cut off"])
def test_what_is_not_a_backup_is_not_restored(account: Account, tmp_path: Path, content: str | None) -> None:
    before, file = account.stored(), tmp_path / "file"
    if content == "foreign":
        duckdb.connect(str(file)).close()
    elif content == "cut off":
        file.write_bytes(account.warehouse.read_bytes()[:20_000])
    elif content is not None:
        file.write_text(content)

    (journal := account.home / "journal.duckdb").write_bytes(b"an interrupted reading")

    ran = account.run("restore", str(file))

    assert (ran.code, f"{file}" in ran.err, "name the backup to restore" in ran.err) == (9, True, True), (
        ran.err
    )
    assert "--warehouse" not in ran.err  # which would restore into another one
    assert account.stored() == before
    assert journal.read_bytes() == b"an interrupted reading"
    journal.unlink()
    assert account.sync().code == 0


def test_a_foreign_file_in_the_warehouses_place_is_not_replaced_by_a_backup(
    account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "backup.duckdb"
    assert account.run("backup", str(file)).code == 0
    account.warehouse.unlink()
    with duckdb.connect(str(account.warehouse)) as con:
        con.execute("create table mine as select 42 as answer")

    assert account.run("restore", str(file)).code == 9
    with duckdb.connect(str(account.warehouse), read_only=True) as con:
        assert con.execute("select answer from mine").fetchall() == [(42,)]


def test_the_engine_is_left_to_its_own_tools(account: Account, tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        ran = account.run(command, str(tmp_path / "x"), CEKURA_DESTINATION="postgres", CEKURA_WAREHOUSE="")
        assert ran.code == 2
        assert "pg_dump" in ran.err


# -- replaced by hand -------------------------------------------------------------------------------------------------


def _older_home(account: Account, aside: Path) -> None:
    """`<warehouse>.d` comes back from an older backup."""
    shutil.copytree(account.home, aside)
    change_and_sync(account)
    shutil.rmtree(account.home)
    shutil.copytree(aside, account.home)


def _older_file(account: Account, aside: Path) -> None:
    """Somebody copies a backup over the published file."""
    shutil.copyfile(account.warehouse, aside)
    change_and_sync(account)
    shutil.copyfile(aside, account.warehouse)


def _another_warehouse_of_as_many_syncs(account: Account, aside: Path) -> None:
    """Equal numbers prove nothing."""
    shutil.copyfile(account.warehouse, aside)
    other = Account(account.sandbox, account.warehouse.with_name("other.duckdb"))
    shutil.copyfile(aside, other.warehouse)
    change_and_sync(account)
    account.world.insert(1)
    assert other.sync().code == 0
    shutil.copyfile(other.warehouse, account.warehouse)


@pytest.mark.parametrize("replace", [*rare(_older_home, _older_file), _another_warehouse_of_as_many_syncs])
def test_a_warehouse_of_two_histories_is_refused_until_somebody_chooses_one(
    account: Account, tmp_path: Path, replace: Callable[[Account, Path], None]
) -> None:
    replace(account, tmp_path / "aside")
    published, base = account.stored(), stored(account.home / "base.duckdb")
    assert published != base
    account.world.insert(1)

    for command in (["sync", "--json"], ["sync", "--dry-run", "--json"], ["build"], ["doctor"]):
        ran = account.run(*command)
        assert ran.code == 9, command
        for file in (account.warehouse, account.home / "base.duckdb"):
            assert f"cekura-sync restore {file} --warehouse {account.warehouse}" in ran.err + ran.out
    assert (account.stored(), stored(account.home / "base.duckdb")) == (published, base)

    kept = account.warehouse if replace is _older_home else account.home / "base.duckdb"
    rows = stored(kept)
    assert account.run("restore", str(kept)).code == 0
    assert account.stored() == rows
    assert account.sync().code == 0
    account.assert_equals_api()


@pytest.mark.long
def test_the_same_file_copied_back_is_no_other_history(account: Account, tmp_path: Path) -> None:
    """As a backup tool leaves it that restores everything: another inode, another time, the same sync."""
    shutil.copytree(account.home, tmp_path / "home")
    shutil.copyfile(account.warehouse, tmp_path / "file")
    account.warehouse.unlink()
    shutil.rmtree(account.home)
    shutil.copytree(tmp_path / "home", account.home)
    shutil.copyfile(tmp_path / "file", account.warehouse)
    account.world.insert(1)

    assert account.sync().code == 0
    account.assert_equals_api()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A warehouse in whose published file blocks of rows are not as they were written; its header is."""
    with Sandbox(World(results=400, runs_per_result=1, in_flight=0)) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("damaged") / "warehouse.duckdb")
        assert account.sync().code == 0
        query = "select distinct block_id from pragma_storage_info('cekura.results') where block_id >= 0"
        blocks = [block for (block,) in account.query(query)]
        content = bytearray(account.warehouse.read_bytes())
        for block in blocks:
            begins = 3 * 4096 + block * 262144  # behind the three headers of the file
            content[begins + 8 : begins + 108] = bytes(
                byte ^ 255 for byte in content[begins + 8 : begins + 108]
            )
        account.warehouse.write_bytes(content)
        yield account


@pytest.mark.parametrize(
    "command",
    [
        ["query", "select count(distinct name), count(distinct updated_at) from cekura.results"],
        ["check"],
        ["export", "--to", "exports"],
        ["report", "-o", "report.html"],
    ],
    ids=lambda command: command[0],
)
def test_a_damaged_file_is_the_warehouses_fault_and_no_bug(
    damaged: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = damaged.run(*command)

    assert ran.code == 9, ran.err
    assert "A file is damaged." in ran.err
    assert not (tmp_path / "exports").exists(), "a failed export leaves its directory as it was"


def test_a_damaged_backup_is_not_restored(damaged: Account, account: Account) -> None:
    before = account.stored()

    ran = account.run("restore", str(damaged.warehouse))

    assert (ran.code, account.stored()) == (9, before), ran.err
    assert "If it is a backup, restore another one." in ran.err
