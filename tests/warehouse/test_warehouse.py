"""The files of a warehouse: who may have them, what stands in their place, what was broken or left behind."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from cekura_sync import database
from cekura_sync.console import exits
from cekura_sync.models import checks, runner
from support.harness import LONG, PATIENCE, Account, NewAccount, Ran
from support.killing import sync_with_files_up_to
from support.rare import rare

STILL = {"results": 60, "runs_per_result": 1, "in_flight": 1}


@pytest.fixture
def still(new_synced: NewAccount) -> Account:
    """60 results, and a warehouse that has them."""
    return new_synced(**STILL)


@pytest.fixture
def account(still: Account) -> Account:
    """The same, and two results that the warehouse does not have yet."""
    still.world.insert(2)
    return still


def content(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def assert_refused(ran: Ran, says: str) -> None:
    assert ran.code == 9, ran.err
    assert says in ran.json["error"]
    assert ran.json == {"outcome": "failed", "exit_code": 9, "error": ran.json["error"]}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- one at a time ----------------------------------------------------------------------------------------------------


def test_a_second_sync_ends_at_once_with_8_and_harms_nothing(still: Account) -> None:
    before = content(still.warehouse)
    with (still.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = still.sync()

    assert (ran.code, ran.json["exit_code"]) == (8, 8)
    assert "Another sync is running" in ran.err
    assert content(still.warehouse) == before
    assert still.sync().code == 0
    still.assert_equals_api()


def test_a_second_sync_does_not_disturb_the_first(account: Account) -> None:
    codes = []

    def meanwhile(_: object) -> None:
        if not codes:
            codes.append(account.run("sync", "-q").code)
            codes.append(account.run("build").code)

    process = None
    account.sandbox.after = meanwhile
    try:
        process = account.spawn("--full")
        process.communicate(timeout=PATIENCE)
    finally:
        account.sandbox.after = None
        if process is not None:
            process.kill()

    assert process.returncode == 0
    assert codes == [8, 8]
    account.assert_equals_api()


# -- something else stands there --------------------------------------------------------------------------------------


def _foreign(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("create table mine as select 42 as answer")


def _foreign_with_our_schema(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("create schema cekura; create table cekura.results (id bigint)")


def _garbage(path: Path) -> None:
    path.write_bytes(b"These are my notes, not a database.\n" * 1000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _damaged(path: Path) -> None:
    """The head of a DuckDB file, and then nothing of use."""
    _foreign(path)
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 20_000)


STRANGERS = [
    pytest.param(_foreign, "not a warehouse of cekura-sync", id="a DuckDB file of somebody else"),
    pytest.param(
        _foreign_with_our_schema, "not a warehouse of cekura-sync", id="a DuckDB file with a schema like ours"
    ),
    pytest.param(_garbage, "not a DuckDB file", id="a file that is no database"),
    pytest.param(_empty, "not a DuckDB file", id="a file truncated to nothing"),
    pytest.param(_damaged, "", id="a damaged DuckDB file"),
]


@pytest.mark.parametrize(("make", "says"), STRANGERS)
def test_a_first_sync_never_touches_a_file_that_is_not_ours(
    new_account: NewAccount, make: Callable[[Path], None], says: str
) -> None:
    account = new_account(results=20)
    make(account.warehouse)
    before, inode = content(account.warehouse), account.warehouse.stat().st_ino

    assert_refused(account.sync(), says)

    assert (content(account.warehouse), account.warehouse.stat().st_ino) == (before, inode)
    assert account.sandbox.requests == []


COMMANDS = [["check"], ["report"], ["export", "--to", "out"], ["query", "select 1"]]


@pytest.mark.parametrize(
    ("make", "says", "command"),
    [
        pytest.param(
            *stranger.values,
            command,
            # All commands open the file in the same way: in each run, each meets one of these files, and each file one of them.
            marks=[] if number == place else pytest.mark.long,
            id=f"{stranger.id}-{command[0]}",
        )
        for number, stranger in enumerate([*STRANGERS[:3], STRANGERS[4]])
        for place, command in enumerate(COMMANDS)
    ],
)
def test_no_command_answers_from_a_file_that_is_not_ours(
    new_account: NewAccount,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    says: str,
    command: list[str],
) -> None:
    account = new_account(results=0)
    make(account.warehouse)
    monkeypatch.chdir(account.warehouse.parent)

    ran = account.run(*command)

    assert (ran.code, ran.out) == (9, ""), ran.err
    assert make is _garbage or says in ran.err
    assert [file.name for file in account.warehouse.parent.iterdir()] == [account.warehouse.name]


@pytest.mark.parametrize(("make", "says"), STRANGERS)
def test_a_file_that_took_the_place_of_the_warehouse_is_never_overwritten(
    account: Account, make: Callable[[Path], None], says: str
) -> None:
    account.warehouse.unlink()
    make(account.warehouse)
    before = content(account.warehouse)

    assert_refused(account.sync(), says)
    assert content(account.warehouse) == before


def test_once_such_a_file_is_gone_the_next_sync_puts_the_warehouse_back(still: Account) -> None:
    still.warehouse.unlink()
    _damaged(still.warehouse)
    assert_refused(still.sync(), "")

    still.warehouse.unlink()

    assert still.sync().code == 0
    still.assert_equals_api()


def test_a_warehouse_truncated_to_nothing_in_place_is_left_alone(account: Account) -> None:
    os.truncate(account.warehouse, 0)

    assert_refused(account.sync(), "damaged or not a DuckDB file")
    assert account.warehouse.stat().st_size == 0


def test_a_directory_at_the_path_is_refused(new_account: NewAccount) -> None:
    account = new_account(results=20)
    account.warehouse.mkdir()
    (account.warehouse / "kept").write_text("mine")

    assert_refused(account.sync(), "is not a file")
    assert (account.warehouse / "kept").read_text() == "mine"
    assert not account.home.exists()


def test_a_missing_parent_directory_is_named(new_account: NewAccount) -> None:
    account = new_account("nowhere/warehouse.duckdb", results=20)

    assert_refused(account.sync(), "There is no directory")
    assert not account.warehouse.parent.exists()


def test_a_home_directory_that_no_shell_has_put_in_is_named(settled: Account) -> None:
    ran = settled.sync("--warehouse", "~/w.duckdb")

    assert_refused(ran, "The shell expands ~ only outside quotes.")


def test_a_parent_that_is_a_file_is_named(new_account: NewAccount) -> None:
    account = new_account("file/warehouse.duckdb", results=20)
    account.warehouse.parent.write_text("mine")

    assert_refused(account.sync(), "There is no directory")


def test_a_file_where_the_private_directory_should_be_is_named(new_account: NewAccount) -> None:
    account = new_account(results=20)
    account.home.write_text("mine")

    assert_refused(account.sync(), ".d")
    assert account.home.read_text() == "mine"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_unwritable_directory_is_refused(account: Account) -> None:
    account.warehouse.parent.chmod(0o500)
    try:
        assert_refused(account.sync(), "ermission")
    finally:
        account.warehouse.parent.chmod(0o700)


def test_a_name_too_long_for_the_disk_is_refused(new_account: NewAccount) -> None:
    assert_refused(new_account("w" * 300, results=20).sync(), "too long")


@pytest.mark.parametrize(
    "name", ["cekura.duckdb", "analytics.db", "CEKURA", "main.duckdb", "temp.x", "cekura_staging.duckdb"]
)
def test_a_stem_like_a_schema_is_refused(new_account: NewAccount, name: str) -> None:
    account = new_account(name, results=20)
    ran = account.sync()

    assert (ran.code, ran.json["exit_code"]) == (2, 2)
    assert "Choose another name" in ran.err
    assert list(account.warehouse.parent.iterdir()) == []


ODD = 'Tom\'s 50% {a,"b"}:$HOME~'


def test_a_symlinked_warehouse_stays_a_link_and_its_target_is_replaced(new_account: NewAccount) -> None:
    """Both lie in folders of an odd name. The target keeps the mode and the owner that readers are used to."""
    account = new_account(f"{ODD}/warehouse.duckdb", results=5, runs_per_result=1)
    target = account.warehouse.parent / ODD / "data.duckdb"
    target.parent.mkdir(parents=True)
    account.warehouse.symlink_to(target)
    ran = account.sync()
    assert ran.code == 0, ran.err
    account.assert_equals_api()
    target.chmod(0o640)
    if os.getuid() == 0:
        os.chown(target, 1234, 5678)
    before = target.stat()
    account.world.insert(1)
    account.world.finish()

    ran = account.sync()

    assert ran.code == 0, ran.err
    account.assert_equals_api()
    after = target.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert account.warehouse.is_symlink()
    assert [path.name for path in target.parent.iterdir() if path.is_dir()] == ["data.duckdb.d"]
    assert not (target.parent / "data.duckdb.d" / "scratch").exists()
    assert not account.home.exists()
    assert account.run("status", "--max-age", "1h").code == 0
    assert account.run("query", "--csv", "select count(*) as n from cekura.results").out == "n\n6\n"


@pytest.mark.parametrize(
    "name", rare(ODD, "Tom's 50%", '{a,"b"}:$HOME~', "a%20b", "[x]", "*", "a b", "#1;", "Müller")
)
def test_a_warehouse_lives_under_any_name(new_account: NewAccount, name: str) -> None:
    account = new_account(f"{name}/warehouse.duckdb", results=5, runs_per_result=1)
    account.warehouse.parent.mkdir()
    for _ in range(2):
        ran = account.sync()
        assert ran.code == 0, ran.err
        account.assert_equals_api()
        account.world.insert(1)

    assert account.run("query", "--csv", "select count(*) as n from cekura.results").out == "n\n6\n"
    assert not (account.home / "scratch").exists()


@pytest.mark.parametrize("name", ["a?b/warehouse.duckdb", "a\\b/warehouse.duckdb", "who?.duckdb"])
def test_a_name_that_duckdb_itself_cannot_open_is_refused(new_account: NewAccount, name: str) -> None:
    account = new_account(name, results=5)
    account.warehouse.parent.mkdir(exist_ok=True)

    assert_refused(account.sync(), "DuckDB opens no file")
    assert list(account.warehouse.parent.iterdir()) == []


# -- a disk that is full ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.getuid() == 0 and shutil.which("mount") is not None
    if mounted:
        options = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)]
        mounted = subprocess.run(options, capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S607


@pytest.mark.parametrize("free_kib", [600, *rare(0, 3800)])
def test_a_full_disk_leaves_the_warehouse_as_it_was(
    new_synced: NewAccount, small_disk: Path, free_kib: int
) -> None:
    account = new_synced(warehouse=f"{small_disk.name}/warehouse.duckdb", **STILL)
    before, former = content(account.warehouse), account.stored()
    account.world.insert(5)
    ballast = small_disk / "ballast"
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    ballast.write_bytes(b"x" * max(0, free - free_kib * 1024))

    assert_refused(account.sync(), "disk is full")

    assert content(account.warehouse) == before
    assert account.stored() == former
    ballast.unlink()
    assert account.sync().code == 0
    account.assert_equals_api()


@pytest.mark.parametrize("limit_kib", [*rare(16), 1024])
def test_a_limit_on_the_size_of_files_leaves_the_warehouse_as_it_was(
    account: Account, limit_kib: int
) -> None:
    before = content(account.warehouse)

    ran = sync_with_files_up_to(limit_kib * 1024, account)

    assert ran.returncode == 9, ran.stderr
    assert content(account.warehouse) == before
    assert account.sync().code == 0
    account.assert_equals_api()


# -- readers, and what they leave -------------------------------------------------------------------------------------

READER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
if sys.argv[2] == "write":
    con.execute("create or replace table mine as select 42 as answer; delete from cekura.results")
print("ready", flush=True)
sys.stdin.readline()
print(con.execute("select count(*) from cekura.results").fetchone()[0], flush=True)
if sys.argv[3] == "kill":
    import os
    os._exit(1)
con.close()
"""


@pytest.fixture
def reader(still: Account) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    readers = []

    def start(how: str, end: str = "close") -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", READER, str(still.warehouse), how, end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        readers.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in readers:
        process.kill()
        process.communicate()


def finish(process: "subprocess.Popen[str]") -> str:
    return process.communicate("go\n", timeout=PATIENCE)[0].strip()


@pytest.mark.parametrize(
    ("how", "sees"),
    [
        pytest.param("read", "60", marks=pytest.mark.long),
        pytest.param("open", "60", marks=pytest.mark.long),
        ("write", "0"),
    ],
)
def test_a_reader_blocks_nothing_and_keeps_what_it_opened(
    account: Account, reader: Callable[..., "subprocess.Popen[str]"], how: str, sees: str
) -> None:
    process = reader(how)

    ran = account.sync()

    assert ran.code == 0, ran.err
    account.assert_equals_api()
    assert finish(process) == sees
    assert account.sync().code == 0
    account.assert_equals_api()


@pytest.mark.parametrize("end", ["close", "kill"])
def test_what_a_reader_wrote_is_gone_after_the_next_sync_even_without_news(
    still: Account, reader: Callable[..., "subprocess.Popen[str]"], end: str
) -> None:
    finish(reader("write", end))

    ran = still.sync()

    assert (ran.code, ran.json["changed"]) == (0, False), ran.err
    still.assert_equals_api()
    assert still.query("select count(*) from duckdb_tables() where table_name = 'mine'") == [(0,)]
    assert not Path(f"{still.warehouse}.wal").exists()


def test_queries_work_while_somebody_has_the_file_open_for_writing(
    account: Account, reader: Callable[..., "subprocess.Popen[str]"]
) -> None:
    reader("open")

    ran = account.run("query", "--csv", "select count(*) as n from cekura.results")

    assert (ran.code, ran.out) == (0, "n\n60\n"), ran.err


def test_a_file_that_is_damaged_is_not_taken_for_one_that_is_held_whatever_its_path_says(
    new_synced: NewAccount, tmp_path: Path
) -> None:
    (tmp_path / "block").mkdir()
    account = new_synced(warehouse="block/warehouse.duckdb", **STILL)
    account.warehouse.write_bytes(account.warehouse.read_bytes()[:4096] + b"\xff" * 20_000)

    assert account.run("query", "select 1").code == 9
    examined = account.run("doctor")
    assert (examined.code, "open for writing" in examined.out) == (9, False), examined.out


def test_queries_ignore_what_somebody_writes_into_a_file_that_a_sync_has_replaced(account: Account) -> None:
    late = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); input()\n"
    late += "try: con.execute('delete from cekura.results')\n"
    late += "except duckdb.Error: print('refused', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", late, str(account.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        account.world.insert(1)
        assert account.sync().code == 0
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "refused\n"
        assert not Path(f"{account.warehouse}.wal").exists()

        ran = account.run("query", "--csv", "select count(*) as n from cekura.results")
        process.kill()

    assert (ran.code, ran.out) == (0, f"n\n{len(account.api())}\n"), ran.err


@pytest.mark.parametrize(
    ("wal", "news"), [(b"", False), (b"WAL of something else" * 100, True)], ids=["empty", "garbage"]
)
def test_a_log_of_another_file_beside_the_warehouse_is_never_replayed(
    still: Account, wal: bytes, news: bool
) -> None:
    if news:
        still.world.insert(2)
    Path(f"{still.warehouse}.wal").write_bytes(wal)

    assert still.sync().json["changed"] is news
    still.assert_equals_api()
    assert not Path(f"{still.warehouse}.wal").exists()


# -- made whole again -------------------------------------------------------------------------------------------------


def _delete_published(account: Account) -> None:
    account.warehouse.unlink()


def _delete_home(account: Account) -> None:
    shutil.rmtree(account.home)


def _delete_base(account: Account) -> None:
    (account.home / "base.duckdb").unlink()


def _delete_record(account: Account) -> None:
    (account.home / "commit.json").unlink()


def _garble_records(account: Account) -> None:
    for name in ("commit.json", "last.json", "pending_log.jsonl"):
        (account.home / name).write_text('{"cut sho')


def _odd_records(account: Account) -> None:
    (account.home / "commit.json").write_text('{"swap": true, "published": "?"}')
    (account.home / "last.json").write_text("[1, 2]")
    (account.home / "pending_log.jsonl").write_bytes(b'\xff\n{}\n[]\n{"generation": 1}\n3\n{"a": }\n')


def _leave_scratch(account: Account) -> None:
    scratch = account.home / "scratch"
    (scratch / "dlt" / "cekura_sync" / "load").mkdir(parents=True)
    (scratch / "work.duckdb").write_bytes(b"half a file")
    (scratch / "work.duckdb.wal").write_bytes(b"half a log")
    account.warehouse.with_name(f".{account.warehouse.name}.new").write_bytes(b"half a copy")


def _move_away_and_back(account: Account) -> None:
    copy = account.warehouse.with_name("copy.duckdb")
    shutil.copyfile(account.warehouse, copy)
    account.warehouse.unlink()
    shutil.copyfile(copy, account.warehouse)
    copy.unlink()


BROKEN = [
    pytest.param(_delete_published, id="the published file was deleted"),
    pytest.param(_delete_home, id="the private directory was deleted"),
    pytest.param(_delete_base, id="the private base was deleted"),
    pytest.param(_delete_record, id="the record of what was published was deleted"),
    pytest.param(_garble_records, id="the small files are cut short"),
    pytest.param(_odd_records, id="the small files hold something else"),
    pytest.param(_leave_scratch, id="scratch of a killed sync lies around"),
    pytest.param(_move_away_and_back, id="the published file was copied back from a backup"),
]


@pytest.mark.parametrize("news", [False, pytest.param(True, marks=pytest.mark.long)], ids=["", "with news"])
@pytest.mark.parametrize("break_it", BROKEN)
def test_the_next_sync_makes_it_whole(
    still: Account, break_it: Callable[[Account], None], news: bool
) -> None:
    if news:
        still.world.insert(2)
    first_seen = still.query("select min(first_seen_at) from cekura.results")
    break_it(still)

    ran = still.sync()

    assert ran.code == 0, ran.err
    still.assert_equals_api()
    assert still.query("select min(first_seen_at) from cekura.results") == first_seen
    assert sorted(path.name for path in still.warehouse.parent.iterdir()) == [
        "warehouse.duckdb",
        "warehouse.duckdb.d",
    ]
    assert not (still.home / "scratch").exists()
    live = still.query("select live_results from analytics.sync_status")
    assert live == [(len(still.world.results),)]
    assert still.run("status", "--max-age", "1h").code == 0


def test_a_damaged_private_base_is_refused_with_the_way_out(still: Account) -> None:
    before = content(still.warehouse)
    base = still.home / "base.duckdb"
    base.write_bytes(base.read_bytes()[:4096] + b"\xff" * 20_000)

    ran = still.sync()

    assert_refused(ran, "")
    assert "Traceback" not in ran.err
    assert content(still.warehouse) == before
    shutil.rmtree(still.home)
    assert still.sync().code == 0
    still.assert_equals_api()


# -- dry runs ---------------------------------------------------------------------------------------------------------


def everything_in(folder: Path) -> dict[Path, object]:
    """Whatever a write would change."""
    return {
        path: (path.stat(follow_symlinks=False).st_mtime_ns, path.is_file() and content(path))
        for path in sorted(folder.rglob("*"))
    }


def assert_dry_run_foretells(account: Account) -> None:
    top = account.warehouse.parent.parent
    before = everything_in(top)
    dry = account.sync("--dry-run")
    assert everything_in(top) == before

    real = account.sync()

    told = (
        "inserted",
        "updated",
        "unchanged",
        "deleted",
        "restored",
        "in_flight",
        "results",
        "mode",
        "changed",
    )
    assert dry.code == real.code, (dry.err, real.err)
    if real.code == 0:
        assert [dry.json[name] for name in told] == [real.json[name] for name in told]
    else:
        assert dry.json == real.json


@pytest.mark.parametrize("break_it", BROKEN if LONG else BROKEN[::4])
def test_a_dry_run_foretells_the_sync_that_makes_it_whole(
    account: Account, break_it: Callable[[Account], None]
) -> None:
    break_it(account)

    assert_dry_run_foretells(account)


@pytest.mark.long
def test_a_dry_run_foretells_the_sync_that_finishes_a_swap(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == "base.duckdb":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        assert account.sync().json["inserted"] == 2
    account.world.insert(1)

    assert_dry_run_foretells(account)


@pytest.mark.parametrize("make", [case.values[0] for case in STRANGERS], ids=[case.id for case in STRANGERS])
def test_a_dry_run_refuses_a_file_that_is_not_ours(
    account: Account, new_account: NewAccount, make: Callable[[Path], None]
) -> None:
    never_synced = new_account("other/warehouse.duckdb", results=5)
    never_synced.warehouse.parent.mkdir()
    make(never_synced.warehouse)
    account.warehouse.unlink()
    make(account.warehouse)

    for each in (never_synced, account):
        assert each.sync("--dry-run").code == 9
        assert_dry_run_foretells(each)


def _no_directory(account: Account) -> None:
    account.warehouse.parent.rmdir()


def _a_directory(account: Account) -> None:
    account.warehouse.mkdir()


def _no_private_directory(account: Account) -> None:
    account.home.write_text("mine")


@pytest.mark.parametrize("spoil", [_no_directory, _a_directory, _no_private_directory])
def test_a_dry_run_refuses_a_place_that_the_sync_refuses(
    new_account: NewAccount, spoil: Callable[[Account], None]
) -> None:
    account = new_account("inside/warehouse.duckdb", results=5)
    account.warehouse.parent.mkdir()
    spoil(account)

    assert account.sync("--dry-run").code == 9
    assert_dry_run_foretells(account)


def test_building_where_no_warehouse_is_leaves_nothing_behind(new_account: NewAccount) -> None:
    account = new_account(results=5)

    ran = account.run("build")

    assert (ran.code, list(account.warehouse.parent.iterdir())) == (9, [])
    assert "There is no warehouse" in ran.err


# -- after the swap ---------------------------------------------------------------------------------------------------


def assert_done_and_kept(account: Account, ran: Ran, *, news: bool = False) -> None:
    """Readers have the new rows, the command says so, and neither a failing sync nor the next one takes them back."""
    assert (ran.code, ran.json["inserted"]) == (0, 2), ran.err
    account.assert_equals_api()
    account.world.insert(int(news))
    seen = account.stored()
    assert account.sync(CEKURA_API_KEY="another-key").code == 3
    assert account.stored() == seen
    assert account.sync().json["inserted"] == news
    account.assert_equals_api()


def test_a_file_system_that_flushes_no_directories_is_no_failure(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse_directories(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_directories)

    assert_done_and_kept(account, account.sync())


@pytest.mark.parametrize("name", ["base.duckdb", "commit.json"])
def test_a_sync_that_cannot_finish_its_second_half_is_finished_by_the_next(
    account: Account, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    replace = Path.replace

    def fail_once_published(self: Path, target: Path) -> Path:
        if target.name == name and not any(account.warehouse.parent.glob(".warehouse.duckdb.new*")):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail_once_published)
        ran = account.sync()

    assert_done_and_kept(account, ran, news=name == "base.duckdb")


@pytest.mark.parametrize("news", [True, False], ids=["with news", "without news"])
def test_a_sync_whose_last_note_cannot_be_written_is_done_all_the_same(still: Account, news: bool) -> None:
    if news:
        still.world.insert(2)
    (still.home / "last.json.new").mkdir()

    ran = still.sync()

    assert "The sync is done, but" in ran.err
    assert "last.json" in ran.err
    if news:
        assert_done_and_kept(still, ran)
    else:
        assert (ran.code, ran.json["changed"]) == (0, False)


# -- the file itself --------------------------------------------------------------------------------------------------


def test_files_are_private_when_created(account: Account) -> None:
    assert mode(account.warehouse) == 0o600
    assert mode(account.home) == 0o700
    assert {mode(path) for path in account.home.rglob("*") if path.is_file()} == {0o600}


def test_the_file_opens_in_old_drivers_and_holds_no_scaffolding(account: Account) -> None:
    header = account.warehouse.read_bytes()[:64]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64, "storage version v1.0.0 is number 64"
    assert account.query(
        "select distinct schema_name from duckdb_tables() union select distinct schema_name from duckdb_views() where not internal order by 1"
    ) == [("analytics",), ("cekura",)]


def test_a_failing_model_leaves_the_warehouse_as_it_was(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the views, those of single results and runs are enough for this."""
    copy = tmp_path / "sql"
    shutil.copytree(runner.models_dir(), copy)
    for file in (*copy.glob("*.sql"), *copy.glob("checks/*.sql")):
        if file.stem not in checks.ROW_VIEWS:
            file.unlink()
    monkeypatch.setattr(runner, "models_dir", lambda: copy)
    (copy / "broken.sql").write_text("-- Broken.\nselect no_such_column from cekura.results\n")
    before = content(account.warehouse)

    ran = account.sync()

    assert ran.code == exits.ExitCode.UNBELIEVABLE
    assert "broken.sql" in ran.err
    assert content(account.warehouse) == before
    (copy / "broken.sql").unlink()
    (copy / "checks" / "broken.sql").write_text("-- No result is there.\nselect id from cekura.results\n")
    ran = account.sync()
    assert ran.code == exits.ExitCode.UNBELIEVABLE
    assert "The check broken finds" in ran.err
    assert content(account.warehouse) == before


# -- beside the warehouse ---------------------------------------------------------------------------------------------


def test_memory_that_overflows_leaves_the_working_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    monkeypatch.chdir(tmp_path)

    with database.connect() as con:
        con.execute("set memory_limit = '30MB'; set threads = 1")
        con.execute(
            "create table spilled as select range as n, md5(range::varchar) as digest from range(1_500_000)"
        )
        assert [path.name for path in tmp_path.iterdir()] == ["spill"]
        assert any(spill.rglob("*.tmp"))
        assert [mode(path) for path in spill.iterdir()] == [0o700], "it may hold what was said in calls"
        assert not list(spill.glob("*.tmp"))
    del con

    assert list(spill.iterdir()) == []


OVERFLOWS = """
import sys
from pathlib import Path
from cekura_sync.warehouse import reader
with reader.open_for_reading(Path(sys.argv[1]), {"memory_limit": "'30MB'", "threads": "1"}) as con:
    con.execute("create temp table spilled as select md5(range::varchar) as digest from range(1_000_000)")
    print("spilled", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_query_had_on_disk_goes_with_the_next_sync_and_that_of_a_living_one_stays(
    still: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    with contextlib.ExitStack() as stack:
        killed, living = (
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OVERFLOWS, str(still.warehouse)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=os.environ | {"TMPDIR": str(spill)},
                )
            )
            for _ in range(2)
        )
        for process in (killed, living):
            assert process.stdout is not None
            assert process.stdout.readline() == b"spilled\n"
        assert [mode(path) for path in spill.iterdir()] == [0o700, 0o700]
        killed.kill()
        killed.wait()

        assert still.sync().code == 0

        assert len(list(spill.iterdir())) == 1
        assert len(list(spill.rglob("*.tmp"))) >= 1
        living.communicate(timeout=PATIENCE)
    assert list(spill.iterdir()) == []


BROKEN_TOML = "this is [not TOML"


def test_neither_variables_nor_files_of_its_surroundings_steer_dlt(account: Account, tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    for folder in (here, home):
        (folder / ".dlt").mkdir(parents=True)
        (folder / ".dlt" / "config.toml").write_text(BROKEN_TOML)
        (folder / ".dlt" / "secrets.toml").write_text(BROKEN_TOML)
    variables = {
        "RESTORE_FROM_DESTINATION": "false",
        "DEV_MODE": "true",
        "RUNTIME__SENTRY_DSN": "https://key@sentry.invalid/1",
        "RUNTIME__DLTHUB_TELEMETRY": "true",
        "RUNTIME__LOG_LEVEL": "DEBUG",
        "DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///elsewhere.duckdb",
        "SCHEMA__NAMING": "direct",
        "DLT_PROJECT_DIR": str(home),
        "DLT_DATA_DIR": str(home / "data"),
        "DLT_DEFAULT_NAMING_MODULE": "nowhere",
        "DLT_INTERVAL_START": "2020-01-01T00:00:00Z",
        "DLT_ALLOW_EXTERNAL_SCHEDULERS": "true",
    }

    account.world.insert(2)
    ran = subprocess.run(
        [sys.executable, "-m", "cekura_sync", "sync", "-q"],
        env=os.environ | account.env | variables | {"HOME": str(home)},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    account.assert_equals_api()

    assert [path.name for path in (*here.iterdir(), *home.iterdir())] == [".dlt", ".dlt"]
    assert account.query("select distinct table_schema from information_schema.tables order by 1") == [
        ("analytics",),
        ("cekura",),
    ]
