"""What `doctor` finds, what it says to do, with which code it exits; and that it changes nothing."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from cekura_sync.doctor import disk, warehouse
from cekura_sync.sandbox import Answer, Fault, Request, Sandbox, World
from cekura_sync.settings import vendor
from support.harness import PATIENCE, Account, NewAccount, Ran, run


class Found(NamedTuple):
    level: str
    message: str


def findings(ran: Ran) -> dict[str, Found]:
    """By check, the worst of each."""
    order = ["ok", "warning", "error"]
    listed = sorted(ran.json["findings"], key=lambda finding: order.index(finding["level"]))
    return {finding["check"]: Found(finding["level"], finding["message"]) for finding in listed}


def examined(account: Account, *options: str, **env: str) -> tuple[int, dict[str, Found]]:
    ran = account.run("doctor", "--json", *options, **env)
    assert ran.json["exit_code"] == ran.code
    assert account.sandbox.key not in ran.out
    return ran.code, findings(ran)


def told(account: Account, check: str) -> Found:
    """What a doctor who has no error to tell says about one thing."""
    code, found = examined(account)
    assert code == 0, found
    return found[check]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Sandbox(World(results=250, runs_per_result=1)) as sandbox:
        account = Account(sandbox, tmp_path_factory.mktemp("synced") / "warehouse.duckdb")
        assert account.sync().code == 0
        yield account


@pytest.fixture
def synced(template: Account, tmp_path: Path) -> Account:
    """A warehouse of one's own, synced once."""
    assert template.sandbox.intercept is None
    account = Account(template.sandbox, tmp_path / "warehouse.duckdb")
    shutil.copyfile(template.warehouse, account.warehouse)
    shutil.copytree(template.home, account.home)
    record = json.loads((account.home / "commit.json").read_text())
    status = account.warehouse.stat()
    record["published"] = [status.st_ino, status.st_size, status.st_mtime_ns]
    (account.home / "commit.json").write_text(json.dumps(record))
    return account


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_where_all_is_well_every_finding_is_ok_and_nothing_has_changed(synced: Account) -> None:
    before = everything(synced.warehouse.parent)
    asked = len(synced.sandbox.requests)

    code, found = examined(synced)

    assert (code, {finding.level for finding in found.values()}) == (0, {"ok"}), found
    assert list(found) == [
        "versions", "key", "api", "clock", "page size", "order", "by id", "scale",
        "place", "disk", "lock", "files", "readers", "sync",
    ]  # fmt: skip
    assert everything(synced.warehouse.parent) == before
    assert len(synced.sandbox.requests) - asked == 3


@pytest.mark.parametrize(
    ("deprecated", "sentence"),
    [
        (("v1",), "The server calls v1 deprecated; v2 answers as well: set --api-version v2."),
        (("v1", "v2"), "The server calls v1 deprecated; it calls v2 deprecated too, so ask the vendor."),
    ],
)
def test_a_version_of_the_api_that_the_server_calls_deprecated_is_named(
    tmp_path: Path, deprecated: tuple[str, ...], sentence: str
) -> None:
    with Sandbox(World(results=30, in_flight=0), deprecated=deprecated) as sandbox:
        code, found = examined(Account(sandbox, tmp_path / "warehouse.duckdb"))

        assert code == 0
        assert found["api version"].level == "warning"
        assert found["api version"].message == sentence
        assert len(sandbox.requests) <= 6


def test_before_the_first_sync_the_missing_warehouse_is_a_warning_and_none_is_made(
    synced: Account, tmp_path: Path
) -> None:
    before = everything(tmp_path)

    code, found = examined(synced, "--warehouse", str(tmp_path / "other.duckdb"))

    assert (code, found["files"].level) == (0, "warning")
    assert "run `cekura-sync sync`" in found["files"].message
    assert everything(tmp_path) == before


def test_people_read_a_line_for_each_finding_with_a_word_beside_the_mark(synced: Account) -> None:
    ran = synced.run("doctor", CEKURA_API_KEY="another")

    assert ran.code == 3
    assert re.search(r"^✓ ok +place +\S", ran.out, re.MULTILINE)
    assert re.search(
        r"^✗ error +key +The API refuses the key .*: check CEKURA_API_KEY", ran.out, re.MULTILINE
    )
    assert "another" not in ran.out


def test_a_terminal_of_ascii_reads_the_words(synced: Account) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cekura_sync", "doctor"],
        env=os.environ | synced.env | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )

    assert re.match(r"  ok +versions", ran.stdout)
    assert "\\" not in ran.stdout


# -- the API ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "check", "code"),
    [
        (Fault("401"), "key", 3),
        (Fault("403"), "key", 3),
        (Fault("503"), "api", 4),
        (Fault("disconnect"), "api", 4),
        (Fault("truncate"), "api", 4),
        (Fault("429", retry_after=3600), "api", 4),
        (Fault("429", retry_after=0), "api", 4),
        (Fault("html"), "api", 5),
        (Fault("error-object"), "api", 5),
        (Fault("redirect"), "api", 5),
        (Fault("404"), "api", 5),
    ],
    ids=str,
)
def test_what_makes_a_sync_fail_is_an_error_with_the_code_of_that_sync(
    new_account: NewAccount, fault: Fault, check: str, code: int
) -> None:
    account = new_account(results=20, runs_per_result=1)
    account.sandbox.faults.append(fault)

    found_code, found = examined(account)

    assert (found_code, found[check].level) == (code, "error")
    assert len(account.sandbox.requests) <= 6
    assert found["disk"].level == "ok"


def test_a_failure_after_the_first_page_is_told_and_costs_no_more_than_six_requests(
    new_account: NewAccount,
) -> None:
    account = new_account(results=300, runs_per_result=1)
    account.sandbox.faults.append(Fault("503", first=2))

    code, found = examined(account)

    assert (code, found["key"].level, found["api"].level) == (4, "ok", "error")
    assert len(account.sandbox.requests) <= 6


def test_an_empty_first_page_with_a_count_exits_6(new_account: NewAccount) -> None:
    account = new_account(results=20, runs_per_result=1)
    account.sandbox.intercept = lambda _: Answer(
        200, b'{"count": 20, "next": null, "results": []}', {"Content-Type": "application/json"}
    )

    code, found = examined(account)

    assert (code, found["api"].level) == (6, "error")


def test_nobody_listening_exits_4(synced: Account) -> None:
    code, found = examined(synced, CEKURA_API_URL="http://127.0.0.1:9")

    assert (code, found["api"].level) == (4, "error")
    assert "Check the address and the network" in found["api"].message


@pytest.mark.parametrize(
    ("world", "check", "level", "says"),
    [
        ({"order": "created_asc"}, "order", "warning", "not newest first"),
        ({"ignore_page_size": True}, "page size", "ok", "20 rows a page instead of 200"),
        ({"page_size_cap": 50}, "page size", "ok", "50 rows a page instead of 200"),
        ({"scale": "percent"}, "scale", "ok", "is a percentage"),
        ({"results": 0, "in_flight": 0}, "rows", "warning", "right project"),
    ],
)
def test_how_the_listing_behaves_is_told(
    new_account: NewAccount, world: dict[str, object], check: str, level: str, says: str
) -> None:
    found = told(new_account(**{"results": 60, "runs_per_result": 1} | world), check)

    assert found.level == level
    assert says in found.message


@pytest.mark.parametrize(
    ("ahead", "level", "says"),
    [(30, "ok", "agree"), (600, "warning", "behind"), (-600, "warning", "ahead of")],
)
def test_a_clock_that_is_wrong_is_told(new_account: NewAccount, ahead: int, level: str, says: str) -> None:
    account = new_account(results=0, in_flight=0)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    account.sandbox.intercept = lambda _: Answer(
        200,
        b'{"count": 0, "next": null, "results": []}',
        {"Content-Type": "application/json", "Date": date},
    )

    found = told(account, "clock")

    assert (found.level, says in found.message) == (level, True), found


def test_a_result_that_is_listed_and_denied_by_id_is_told(new_account: NewAccount) -> None:
    account = new_account(results=20, runs_per_result=1)

    def deny(request: Request) -> Answer | None:
        by_id = re.search(r"/results/\d+/", request.path)
        return Answer(404, b'{"detail": "No."}', {"Content-Type": "application/json"}) if by_id else None

    account.sandbox.intercept = deny

    assert told(account, "by id").level == "warning"


def test_a_record_by_id_that_cannot_be_had_is_an_error(new_account: NewAccount) -> None:
    account = new_account(results=20, runs_per_result=1)
    account.sandbox.intercept = lambda request: (
        Answer(500, b"{}") if re.search(r"/results/\d+/", request.path) else None
    )

    code, found = examined(account)

    assert (code, found["by id"].level) == (4, "error"), found
    assert len(account.sandbox.requests) <= 6


def test_a_rate_of_1_with_a_rounding_error_is_no_percentage_and_rows_that_cannot_be_read_tell_nothing(
    new_account: NewAccount,
) -> None:
    account = new_account(results=20, runs_per_result=1)
    rounded, *odd = sorted(account.world.results)[:3]
    account.world.edit(rounded, success_rate=1.0000000002)
    for id_, value in zip(odd, (b"1" * 5000, b"[" * 1100 + b"]" * 1100), strict=True):
        row = json.dumps(account.world.results[id_] | {"success_rate": 50}).encode()
        account.world.set_raw(id_, row[:-1] + b', "more": ' + value + b"}")

    assert told(account, "scale").message.startswith("success_rate is 0 to 1, judging by 18 results")


# -- settings ---------------------------------------------------------------------------------------------------------


def test_without_a_key_the_files_are_looked_at_all_the_same(synced: Account) -> None:
    code, found = examined(synced, CEKURA_API_KEY="")

    assert (code, found["settings"].level, found["files"].level) == (2, "error", "ok")
    assert "CEKURA_API_KEY" in found["settings"].message


def vendor_file(text: str, mode: int) -> None:
    path = vendor.path()
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o644, "warning")])
def test_the_vendors_file_is_named_and_may_not_be_read_by_others(
    synced: Account, mode: int, level: str
) -> None:
    vendor_file(f'api_key = "{synced.sandbox.key}"\n', mode)

    code, found = examined(synced, CEKURA_API_KEY="")

    assert (code, found["key"].level, found["vendor file"].level) == (0, "ok", level)
    assert ("chmod 600" in found["vendor file"].message) == (level == "warning")


@pytest.mark.parametrize(("url", "code"), [(True, 0), (False, 2)], ids=["not needed", "needed"])
def test_a_vendor_file_that_cannot_be_read_is_told_once_and_fails_where_it_is_needed(
    synced: Account, url: bool, code: int
) -> None:
    vendor_file("api_key = ", 0o600)

    ran = synced.run("doctor", CEKURA_API_URL=synced.sandbox.url if url else "")

    assert (ran.code, ran.out.count("config.toml")) == (code, 1)


@pytest.mark.parametrize("name", ["", "cekura.duckdb"])
def test_a_name_that_no_warehouse_may_have_exits_2(synced: Account, name: str) -> None:
    code, found = examined(synced, "--warehouse", name)

    assert (code, found["settings"].level) == (2, "error")


# -- disk and lock ----------------------------------------------------------------------------------------------------


def test_a_place_where_no_warehouse_can_be_exits_9_and_is_told_once(synced: Account, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("These are my notes.\n" * 1000)

    for path in (notes, tmp_path / "missing" / "w.duckdb"):
        code, found = examined(synced, "--warehouse", str(path))

        assert (code, found["place"].level) == (9, "error")
        assert "disk" not in found


@pytest.mark.parametrize(("free", "level", "code"), [(1 << 20, "error", 9), (150 << 20, "warning", 0)])
def test_a_disk_without_room_for_the_copies_is_told(
    synced: Account, monkeypatch: pytest.MonkeyPatch, free: int, level: str, code: int
) -> None:
    usage = shutil.disk_usage(synced.warehouse.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))

    found_code, found = examined(synced)

    assert (found_code, found["disk"].level) == (code, level)
    assert "make room" in found["disk"].message


def test_a_network_file_system_is_told(
    synced: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounted = [(Path("/"), "ext4"), (tmp_path, "nfs4")]
    monkeypatch.setattr(disk, "mounts", lambda: mounted)

    found = told(synced, "place")

    assert (found.level, "(nfs4)" in found.message) == ("warning", True)


def test_a_sync_that_is_running_is_told_and_not_hindered(synced: Account) -> None:
    with (synced.home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert "A sync is running" in told(synced, "lock").message
    assert told(synced, "lock").message == "No sync is running."
    assert synced.sync().code == 0


# -- the warehouse ----------------------------------------------------------------------------------------------------


def _touch(account: Account) -> None:
    with duckdb.connect(str(account.warehouse)) as con:
        con.execute("create table notes as select 1 as n")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda account: account.warehouse.unlink(), "puts it back"),
        (lambda account: (account.home / "base.duckdb").unlink(), "rebuilds it from"),
        (_touch, "was changed or replaced"),
        (lambda account: Path(f"{account.warehouse}.wal").write_bytes(b""), "read only"),
    ],
    ids=["published file gone", "base gone", "published file written to", "a .wal beside it"],
)
def test_what_the_next_sync_will_mend_is_a_warning_and_it_does(
    synced: Account, harm: Callable[[Account], object], says: str
) -> None:
    harm(synced)

    found = told(synced, "files")

    assert (found.level, says in found.message) == ("warning", True), found
    assert synced.sync().code == 0
    assert told(synced, "files").level == "ok"


def test_a_program_that_holds_the_file_for_writing_is_told(synced: Account) -> None:
    hold = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(synced.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"

        found = told(synced, "readers")
        holder.communicate()

    assert (found.level, "read only" in found.message) == ("warning", True)


def test_a_file_in_a_newer_storage_version_is_told(synced: Account) -> None:
    newer = synced.warehouse.with_name("newer.duckdb")
    with duckdb.connect(":memory:") as con:
        con.execute(f"attach '{synced.warehouse}' as old (read_only)")
        con.execute(f"attach '{newer}' as new (storage_version 'latest')")
        con.execute("create schema new.cekura")
        con.execute("create table new.cekura._generation as select 1 as generation")
    newer.replace(synced.warehouse)

    assert "older drivers cannot open" in told(synced, "files").message


def test_views_that_are_missing_are_told(synced: Account) -> None:
    with duckdb.connect(str(synced.warehouse)) as con:
        con.execute("drop view analytics.sync_status")

    found = told(synced, "warehouse")

    assert (found.level, "cekura-sync build" in found.message) == ("warning", True)


def test_a_damaged_file_exits_9(synced: Account) -> None:
    content = bytearray(synced.warehouse.read_bytes())
    content[20_000:] = bytes(len(content) - 20_000)
    synced.warehouse.write_bytes(content)

    code, found = examined(synced)

    assert code == 9, found


def _finished(account: Account, moment: datetime) -> None:
    last = json.loads((account.home / "last.json").read_text())
    (account.home / "last.json").write_text(json.dumps(last | {"finished_at": moment.isoformat()}))


def test_a_job_that_has_stopped_is_told(synced: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cekura_sync.warehouse.file.LOG_AT_LEAST_EVERY", timedelta(0))
    synced.sync()  # two syncs in the log: it has a usual pause

    assert told(synced, "sync").level == "ok"
    _finished(synced, datetime.now(UTC) - timedelta(hours=1))
    assert told(synced, "sync").level == "ok"
    _finished(synced, datetime.now(UTC) - timedelta(hours=3))
    assert "check the job" in told(synced, "sync").message
    _finished(synced, datetime.now(UTC) + timedelta(hours=3))
    assert "clock" in told(synced, "sync").message


def test_a_full_sync_of_long_ago_is_told(synced: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "FULL_SYNC_WITHIN", timedelta(0))

    assert "sync --full" in told(synced, "full sync").message


def test_rows_that_were_rejected_and_doubtful_data_are_told(settled: Account) -> None:
    account = settled
    account.world.edit(max(account.world.results), total_runs_count="many")
    account.sync()

    found = told(account, "data")

    assert found.level == "warning"
    assert "cekura.rejected_rows" in found.message
    assert "from data_quality" in found.message


def test_the_code_is_that_of_the_first_error(new_account: NewAccount, tmp_path: Path) -> None:
    account = new_account(results=20)

    code, found = examined(
        account, "--warehouse", str(tmp_path / "no" / "w.duckdb"), CEKURA_API_KEY="another"
    )

    assert (code, found["key"].level, found["place"].level) == (3, "error", "error")


def test_doctor_needs_no_network_to_say_that_an_address_is_none() -> None:
    ran = run("doctor", env={"CEKURA_API_KEY": "k", "CEKURA_API_URL": "http://example.invalid"})

    assert (ran.code, "https" in ran.out) == (2, True)
