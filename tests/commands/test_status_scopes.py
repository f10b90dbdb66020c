"""`status`, `doctor` and the report judge each scope: a fresh sync of a few results must not make the others look fresh."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from support.harness import Account, NewAccount

HOUR = timedelta(hours=1)


@pytest.fixture
def account(new_synced: NewAccount) -> Account:
    """Twenty results, synced without a filter."""
    return new_synced(results=20, runs_per_result=1, in_flight=0)


def agent(account: Account, number: int = 0) -> tuple[str, str]:
    return "--agent-id", str(account.world.agents[number].id)


def ago(account: Account, age: timedelta) -> None:
    """All syncs on record were completed so much earlier."""
    moments = re.compile(r'(?<=_at": ")[^"]+')

    def earlier(moment: re.Match[str]) -> str:
        return (datetime.fromisoformat(moment[0]) - age).isoformat()

    for name in ("last.json", "pending_log.jsonl"):
        if (file := account.home / name).exists():
            file.write_text(moments.sub(earlier, file.read_text()))
    with duckdb.connect(str(account.home / "base.duckdb")) as con:
        con.execute("update cekura.sync_log set finished_at = finished_at - $1", [age])


def code(account: Account, *options: str) -> int:
    return account.run("status", "--max-age", "1h", *options).code


def test_a_filtered_sync_does_not_make_a_stale_unfiltered_one_look_fresh(account: Account) -> None:
    account.sync()
    ago(account, 3 * HOUR)
    assert account.sync(*agent(account)).code == 0

    ran = account.run("status", "--max-age", "1h")

    assert ran.code == 10
    assert "The oldest of 2 scopes, all results, was synced at" in ran.out
    assert code(account, *agent(account)) == 0  # what that job brings is fresh


def test_a_wider_sync_counts_for_the_scopes_that_it_holds(account: Account) -> None:
    account.sync(*agent(account))
    account.sync(*agent(account), "--search", "smoke")
    ago(account, 3 * HOUR)
    assert code(account) == 10
    account.sync(*agent(account))
    assert code(account, *agent(account), "--search", "smoke") == 0
    assert code(account, *agent(account, 1)) == 10
    account.sync()

    assert code(account) == 0
    assert code(account, *agent(account, 1)) == 0  # never asked for, and read all the same


def test_a_scope_that_was_synced_by_hand_once_is_forgotten_after_a_month_but_the_last_one_never(
    account: Account,
) -> None:
    ago(account, timedelta(days=29))
    account.sync(*agent(account))
    assert code(account) == 10
    ago(account, timedelta(days=2))
    account.sync(*agent(account))
    assert code(account) == 0

    ago(account, timedelta(days=400))
    assert code(account) == 10


def test_a_scope_that_was_never_synced_is_older_than_any_age(account: Account) -> None:
    account.warehouse.unlink()
    (account.home / "base.duckdb").unlink()
    account.sync(*agent(account))

    ran = account.run("status", "--max-age", "9999d", *agent(account, 1))

    assert ran.code == 10
    assert f"No sync of agent_id={account.world.agents[1].id} has completed yet" in ran.out


def test_the_record_of_an_older_version_is_completed_by_the_next_sync(account: Account) -> None:
    account.sync(*agent(account), "--full")
    file = account.home / "last.json"
    old = json.loads(file.read_text())
    del old["scopes"]
    file.write_text(json.dumps(old))
    assert len(account.run("status", "--json").json["scopes"]) == 1

    account.sync(*agent(account))

    scopes = {json.dumps(scope["scope"]): scope for scope in account.run("status", "--json").json["scopes"]}
    assert len(scopes) == 2
    assert all(scope["last_full_at"] for scope in scopes.values())


@pytest.mark.long
def test_a_restored_backup_brings_its_scopes_back(account: Account) -> None:
    account.world.insert(agent=account.world.agents[0].id)
    account.sync(*agent(account), "--full")
    backup = account.home.parent / "backup.duckdb"
    assert account.run("backup", str(backup)).code == 0
    before = account.run("status", "--json").json["scopes"]
    account.sync("--search", "smoke")

    assert account.run("restore", str(backup)).code == 0

    def told(scopes: list[dict[str, str]]) -> list[tuple[object, ...]]:
        return sorted((str(scope["scope"]), scope["finished_at"], scope["last_full_at"]) for scope in scopes)

    assert told(account.run("status", "--json").json["scopes"]) == told(before)


@pytest.mark.parametrize(
    "scopes", ["7", '[7, {"scope": {"agent_id": 7}}, {"scope": {}, "finished_at": "soon"}]']
)
def test_scopes_that_no_sync_has_written_count_as_absent(account: Account, scopes: str) -> None:
    file = account.home / "last.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"scopes": json.loads(scopes)}))

    assert code(account) == 0
    assert len(account.run("status", "--json").json["scopes"]) == 1


@pytest.mark.long
def test_doctor_and_the_report_name_a_scope_that_is_no_longer_synced(account: Account) -> None:
    ago(account, timedelta(days=8))
    account.sync(*agent(account))

    assert "all results was last synced at" in account.run("doctor").out
    page = account.home.parent / "page.html"
    assert account.run("report", "-o", str(page)).code == 0
    assert "The scope all results was synced 8 days earlier." in page.read_text(encoding="utf-8")


def test_a_warehouse_that_was_moved_without_its_directory_has_an_age_that_nobody_knows(
    account: Account, tmp_path: Path
) -> None:
    account.sync()
    moved = tmp_path / "moved.duckdb"
    moved.write_bytes(account.warehouse.read_bytes())

    ran = account.run("status", "--max-age", "1h", "--warehouse", str(moved))

    assert (ran.code, "has no record of its syncs" in ran.out + ran.err) == (10, True)
