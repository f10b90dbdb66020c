"""Files that other versions wrote: an older one is upgraded by the next sync, a newer one is refused."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cekura_sync import __version__
from cekura_sync.models import runner
from support.harness import Account

VERSION_0_1_0 = Path(__file__).parents[1] / "support" / "data" / "warehouse-0.1.0.duckdb.gz"


def views(account: Account) -> set[str]:
    return {
        name
        for (name,) in account.query("select view_name from duckdb_views() where schema_name = 'analytics'")
    }


def models() -> set[str]:
    return {model.name for model in runner.read_models(runner.models_dir())}


def rewrite(account: Account, sql: str) -> None:
    """In both files, so that they stay of one history."""
    base = account.home / "base.duckdb"
    with duckdb.connect(str(base)) as con:
        con.execute(sql)
    shutil.copyfile(base, account.warehouse)


def test_a_warehouse_of_version_0_1_0_is_upgraded_and_keeps_what_the_api_no_longer_lists(
    new_account: Callable[..., Account],
) -> None:
    """Details are read into its tables, which lack columns."""
    account = new_account(results=0, in_flight=0)
    account.warehouse.write_bytes(gzip.decompress(VERSION_0_1_0.read_bytes()))
    old = {*account.stored()}
    new = account.world.insert(3)

    ran = account.sync("--details", "--profiles")

    assert ran.code == 0, ran.err
    assert views(account) == models()
    assert {id_ for (id_,) in account.query("select id from cekura.results")} == old | {*new}
    assert old - {*new}
    assert account.query("select version from cekura._identity") == [(__version__,)]
    assert account.run("check").code == 0
    ran = account.sync("--transcripts")
    assert (ran.code, ran.json["details_read"]) == (0, 3), ran.err
    assert_profiles_are_noted(account, new)
    assert account.sync("--transcripts").json["changed"] is False


def assert_profiles_are_noted(account: Account, ids: list[int]) -> None:
    noted = "select count(*) from cekura.details_read where with_profiles is not null"
    assert account.query(f"{noted} and result_id in (select unnest({ids}))") == [(len(ids),)]


def test_version_0_1_0_can_neither_take_nor_replace_what_this_version_wrote(
    settled: Account, tmp_path: Path
) -> None:
    """It looks for a table, and ends each sync that changes something with this statement."""
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(settled.warehouse, copy)

    with duckdb.connect(str(copy)) as con:
        assert con.execute("from duckdb_tables() where table_name = '_generation'").fetchall() == []
        with pytest.raises(duckdb.CatalogException):
            con.execute("create or replace table cekura._generation as select 7::bigint as generation")


def test_a_sync_without_news_upgrades_the_file_of_an_older_version(settled: Account) -> None:
    rewrite(
        settled,
        "update cekura._identity set version = '0.0.9'; update cekura._views set signature = 'old'; drop view analytics.result_trend; alter table cekura.sync_log drop details_left",
    )

    ran = settled.sync()

    assert (ran.code, ran.json["changed"]) == (0, False)
    assert views(settled) == models()
    assert settled.query("select version from cekura._identity") == [(__version__,)]
    assert settled.query("select count(details_left) from cekura.sync_log") == [(0,)]
    assert settled.query("from analytics.result_trend") != []


@pytest.mark.long
def test_what_was_erased_and_written_again_by_version_0_1_0_is_removed_by_the_next_sync(
    settled: Account,
) -> None:
    erased = min(settled.world.results)
    settled.world.insert(1)
    columns = "agent, name, status, created_at, first_seen_at, synced_at"
    assert settled.run("erase", "--result", str(erased)).code == 0
    rewrite(
        settled,
        f"insert into cekura.results (id, {columns}) select {erased}, agent, 'Planted-Zq7', status, created_at, first_seen_at, synced_at from cekura.results limit 1;"
        f" insert into cekura.runs (id, result_id) values (1, {erased})",
    )

    ran = settled.sync()

    assert (ran.code, ran.json["results"]) == (0, len(settled.world.results) - 1), ran.err
    assert settled.query(f"select id from cekura.results where id = {erased}") == []
    assert settled.query(f"select id from cekura.runs where result_id = {erased}") == []
    for file in (settled.warehouse, settled.home / "base.duckdb"):
        assert b"Planted-Zq7" not in file.read_bytes()
    assert settled.query(f"select count(*) from cekura._erased where id = {erased}") == [(1,)]


@pytest.mark.parametrize("command", ["sync", "sync --dry-run", "build", "query", "check", "doctor"])
def test_a_file_of_a_newer_layout_is_refused(settled: Account, command: str) -> None:
    rewrite(settled, "update cekura._identity set version = '99.0', layout = 99")
    before = settled.warehouse.read_bytes()

    ran = settled.run(*command.split(), *(["select 1"] if command == "query" else []))

    assert ran.code == 9
    assert "was written by cekura-sync 99.0" in ran.err + ran.out
    assert settled.warehouse.read_bytes() == before


def test_after_a_rollback_a_backup_from_before_the_upgrade_takes_the_newer_files_place(
    settled: Account, tmp_path: Path
) -> None:
    backup, rows = tmp_path / "backup.duckdb", settled.stored()
    assert settled.run("backup", str(backup)).code == 0
    rewrite(
        settled,
        "update cekura._identity set version = '99.0', layout = 99; delete from cekura.results",
    )

    assert settled.run("restore", str(backup)).code == 0

    assert settled.stored() == rows
    assert settled.sync().code == 0


def test_what_was_said_is_erased_in_a_warehouse_of_version_0_1_0(
    new_account: Callable[..., Account],
) -> None:
    """Its tables lack columns, and the first command of this version is no sync."""
    account = new_account(results=0, in_flight=0)
    account.warehouse.write_bytes(gzip.decompress(VERSION_0_1_0.read_bytes()))
    assert account.query("select count(*) from cekura.failed_reasons where reason is not null") == [(3,)]

    ran = account.run("erase", "--agent", "4101", "--transcripts-only")

    assert ran.code == 0, ran.err
    assert account.query("select count(reason), count(*) from cekura.failed_reasons") == [(0, 3)]


@pytest.mark.long  # the first test of this file reads profiles, then transcripts
@pytest.mark.parametrize("option", ["--details", "--transcripts", "--profiles"])
def test_details_are_read_into_a_warehouse_of_version_0_1_0(
    new_account: Callable[..., Account], option: str
) -> None:
    """Its tables of details lack columns."""
    account = new_account(results=0, in_flight=0)
    account.warehouse.write_bytes(gzip.decompress(VERSION_0_1_0.read_bytes()))
    new = account.world.insert(2)
    account.world.finish()

    for full in ([], ["--full"]):
        ran = account.sync("--details", option, *full)
        assert ran.code == 0, ran.err

    assert_profiles_are_noted(account, new)
