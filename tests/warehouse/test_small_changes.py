"""A quick sync checks what it wrote and builds no view whose text is the same; a full one checks everything."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from cekura_sync.console.exits import ExitCode
from cekura_sync.models import runner
from support.harness import Account
from support.rare import rare

RULE = "details_were_read"


@pytest.fixture
def synced(settled: Account) -> Account:
    return settled


def write_into_base(account: Account, sql: str) -> None:
    """As a bug of ours might have: nobody else writes there."""
    with duckdb.connect(str(account.home / "base.duckdb")) as con:
        con.execute(sql)


def comment_of_a_view(account: Account) -> str:
    ((comment,),) = account.query("select comment from duckdb_views() where view_name = 'agent_pass_rate'")
    return str(comment)


def newest_and_oldest(account: Account) -> tuple[int, int]:
    ids = sorted(account.world.results)
    return ids[-1], ids[0]


def break_a_rule(account: Account, result_id: int) -> None:
    write_into_base(account, f"insert into cekura.failed_reasons (result_id) values ({result_id})")


def test_a_quick_sync_is_refused_when_a_row_that_it_wrote_breaks_a_rule(synced: Account) -> None:
    newest, _ = newest_and_oldest(synced)
    break_a_rule(synced, newest)
    synced.world.edit(newest, name="edited")
    before = synced.warehouse.read_bytes()

    ran = synced.sync()

    assert ran.code == ExitCode.UNBELIEVABLE
    assert RULE in ran.json["error"]
    assert synced.warehouse.read_bytes() == before


def test_a_quick_sync_leaves_other_rows_to_the_next_full_one(synced: Account) -> None:
    newest, oldest = newest_and_oldest(synced)
    break_a_rule(synced, oldest)
    synced.world.edit(newest, name="edited")

    assert synced.sync().code == 0

    synced.world.edit(newest, name="edited again")
    refused = synced.sync("--full")
    assert refused.code == ExitCode.UNBELIEVABLE
    assert RULE in refused.json["error"]


def test_views_whose_text_is_the_same_are_not_built_again_until_one_is_not_what_was_built(
    synced: Account,
) -> None:
    (rows,) = synced.query("select count(*) from analytics.agents")
    write_into_base(synced, "comment on view analytics.agent_pass_rate is 'as it stood'")
    synced.world.insert(1)

    assert synced.sync().code == 0
    assert comment_of_a_view(synced) == "as it stood"

    write_into_base(synced, "create or replace view analytics.agents as select 1 as agent_id")
    synced.world.insert(1)

    assert synced.sync().code == 0
    assert comment_of_a_view(synced) != "as it stood"
    assert synced.query("select count(*) from analytics.agents") == [rows]
    synced.assert_equals_api()


@pytest.mark.long  # in every run it builds what is missing: a warehouse of an earlier version (test_team_changes.py)
def test_the_command_build_builds_all_views_again(synced: Account) -> None:
    write_into_base(synced, "comment on view analytics.agent_pass_rate is 'as it stood'")

    assert synced.run("build").code == 0

    assert comment_of_a_view(synced) != "as it stood"


@pytest.mark.long
def test_a_view_that_a_reader_replaced_does_not_survive_in_a_rebuilt_warehouse(synced: Account) -> None:
    rates = synced.query("select agent_id, results from analytics.agents order by all")
    with duckdb.connect(str(synced.warehouse)) as con:
        columns = "agent_id, agent_name, results + 1 as results, first_result_at, last_result_at"
        con.execute("create table analytics.copied as select * from analytics.agents")
        con.execute(f"create or replace view analytics.agents as select {columns} from analytics.copied")
    shutil.rmtree(synced.home)
    newest, _ = newest_and_oldest(synced)
    synced.world.edit(newest, name="edited")

    assert synced.sync().code == 0

    assert synced.query("select agent_id, results from analytics.agents order by all") == rates


def test_new_text_of_a_view_or_a_check_has_everything_checked(
    synced: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, oldest = newest_and_oldest(synced)
    break_a_rule(synced, oldest)
    sql = tmp_path / "sql"
    shutil.copytree(runner.models_dir(), sql)
    (sql / "checks" / "one_more.sql").write_text("-- Is there nothing?\nselect 1 as n where false\n")
    monkeypatch.setattr(runner, "models_dir", lambda: sql)
    synced.world.edit(newest, name="edited")

    ran = synced.sync()

    assert ran.code == ExitCode.UNBELIEVABLE
    assert RULE in ran.json["error"]


def test_the_rows_of_deleted_and_emptied_results_are_checked_too(synced: Account) -> None:
    ids = sorted(synced.world.results)
    synced.world.delete(ids[-1])
    synced.world.drop_runs(ids[-2], keep=0)

    assert synced.sync().code == 0

    synced.assert_equals_api()


def test_a_line_of_the_log_that_a_crash_cut_short_takes_no_later_sync_with_it(synced: Account) -> None:
    (synced.home / "pending_log.jsonl").write_text('{"scope": "{}", "mode": "qu')
    for news in (0, 0, 1):
        synced.world.insert(news)
        assert synced.sync().json["changed"] is bool(news)

    assert synced.query("select count(*) from cekura.sync_log") == [(4,)]


# `build` in every run: a warehouse from before details (test_details.py)
@pytest.mark.parametrize("command", [*rare(("build",)), ("erase", "--result", "1")])
def test_syncs_that_found_nothing_new_are_published_by_whatever_is_published_next(
    synced: Account, command: tuple[str, ...]
) -> None:
    for options in ((), ("--full",)):
        assert not synced.sync(*options).json["changed"]
    waiting = [json.loads(line) for line in (synced.home / "pending_log.jsonl").read_text().splitlines()]

    assert synced.run(*command).code == 0

    modes = [mode for (mode,) in synced.query("select mode from cekura.sync_log order by finished_at")]
    assert modes[-2:] == ["quick", "full"]
    assert modes[-len(waiting) :] == [entry["mode"] for entry in waiting]
    assert not (synced.home / "pending_log.jsonl").exists()
