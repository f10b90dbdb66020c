"""`sync --destination postgres`, against a real server: the tables, views and promises of the file, in a shared engine.

CEKURA_TEST_KILLS=all kills at every statement that a sync sends.
"""

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cekura_sync import models
from cekura_sync.sandbox import Answer, Request
from engines import PostgreSql, comparable, postgres_server
from harness import FIELDS, TIMES, Account, Ran, Record, assembled, assert_same
from test_kill import KILL_POINTS, change_the_account

ALL = os.environ.get("CEKURA_TEST_KILLS") == "all"
DEADLY = [
    'statement:DELETE FROM "cekura"."runs"',
    'statement:DELETE FROM "cekura"."result_scenarios"',  # the results have been merged
    "statement:insert into cekura.sync_log",
]
if ALL:
    DEADLY += [f"statement:{number}" for number in range(10, 140)]
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as address:
        yield address


class Shared:
    """An account, and a database of its own that it is synced into."""

    def __init__(self, account: Account, server: str) -> None:
        name = f"warehouse_{next(numbers)}"
        with PostgreSql(server) as admin:
            admin.execute(f"create database {name}")
        self.account = account
        self.world = account.world
        self.address = server.rpartition("/")[0] + f"/{name}"
        self.env = {"CEKURA_DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": self.address}

    def sync(self, *options: str, **env: str) -> Ran:
        return self.account.sync(*options, **self.env | env)

    def spawn(self, *options: str, **env: str) -> "subprocess.Popen[str]":
        return self.account.spawn(*options, **self.env | env)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with PostgreSql(self.address) as engine:
            engine.execute("set timezone = 'UTC'")
            return engine.query(sql)

    def stored(self) -> dict[int, Record]:
        columns = ", ".join(
            f"(extract(epoch from {name}) * 1000000)::bigint" if name in TIMES else name for name in FIELDS
        )
        return assembled(
            self.query(f"select {columns} from cekura.results where deleted_at is null"),
            self.query("select result_id, id, status, success, scenario, scenario_name from cekura.runs"),
            self.query("select result_id, scenario_id, scenario_name from cekura.result_scenarios"),
        )

    def assert_equals_api(self) -> None:
        live = self.stored()
        assert_same(live, self.account.api())


@pytest.fixture
def shared(new_account: Callable[..., Account], server: str) -> Shared:
    """Sixty results in small pages, not synced yet."""
    return Shared(new_account(results=60, agents=3, runs_per_result=2, days=20, page_size_cap=20), server)


def test_it_has_the_rows_the_views_and_the_log_that_the_file_has(shared: Shared) -> None:
    for at in ("first", "second"):
        ran = shared.sync("--full")
        in_file = shared.account.sync("--full")
        assert (ran.code, ran.err) == (in_file.code, in_file.err) == (0, ""), at
        assert ran.json["warehouse"] == "postgres:cekura"
        for counter in ("inserted", "updated", "deleted", "in_flight", "results"):
            assert ran.json[counter] == in_file.json[counter], (at, counter)
        shared.assert_equals_api()
        change_the_account(shared.account)
        shared.world.edit(sorted(shared.world.results)[9], name="")

    for model in models.read_models(models.models_dir()):
        if model.name not in (
            "sync_status",
            "live_results",
            "results",
            "stuck_results",
        ):  # times of their own
            expected = shared.account.query(f"select * from analytics.{model.name}")
            found = shared.query(f"select * from analytics.{model.name}")
            assert comparable(found) == comparable(expected), model.name
    assert shared.query("select mode, generation from cekura.sync_log order by generation") == [
        ("full", 1),
        ("full", 2),
    ]
    assert shared.query(
        "select obj_description('analytics.agent_pass_rate'::regclass) like 'One row per agent%'"
    ) == [(True,)]


def test_a_sync_with_nothing_new_writes_its_line_in_the_log_and_no_more(shared: Shared) -> None:
    shared.sync()
    before = shared.query("select xmin::text, id from cekura.results order by id")
    shared.world.edit(sorted(shared.world.results)[-2], name="")
    assert shared.sync().json["updated"] == 1

    ran = shared.sync()

    assert (ran.json["changed"], ran.json["updated"]) == (False, 0)
    after = shared.query("select xmin::text, id from cekura.results order by id")
    assert len(set(before) - set(after)) == 1
    assert shared.query("select count(*) from cekura.sync_log") == [(3,)]


def test_a_dry_run_writes_nothing(shared: Shared) -> None:
    ran = shared.sync("--dry-run")

    assert ran.json["inserted"] == 60
    assert shared.query(
        "select count(*) from information_schema.schemata where schema_name in ('cekura', 'analytics')"
    ) == [(0,)]


def test_two_filters_share_the_tables_and_neither_hides_the_others_rows(shared: Shared) -> None:
    one, other = (agent.id for agent in shared.world.agents[:2])
    for agent in (one, other):
        assert shared.sync("--agent-id", str(agent)).code == 0
    deleted = next(id_ for id_, row in shared.account.api().items() if row["agent"] == one)
    shared.world.delete(deleted)

    assert shared.sync("--full", "--agent-id", str(one)).json["deleted"] == 1

    live = {id_: row for id_, row in shared.account.api().items() if row["agent"] in (one, other)}
    assert_same(shared.stored(), live)


def test_the_teams_list_of_changes_is_there_too(shared: Shared, tmp_path: Path) -> None:
    (tmp_path / "changes.csv").write_text("agent_id,at,note\n,2026-03-10,100 % new\n")

    assert shared.sync("--changes", str(tmp_path / "changes.csv")).code == 0

    assert shared.query("select line, agent_id, changed_at::text, note from cekura.changes") == [
        (2, None, "2026-03-10 00:00:00+00", "100 % new")
    ]
    assert shared.sync("--changes", str(tmp_path / "changes.csv")).json["changed"] is False


@pytest.mark.parametrize("point", DEADLY)
def test_a_load_that_was_killed_is_repaired_by_the_next_sync(shared: Shared, point: str) -> None:
    assert shared.sync().code == 0
    change_the_account(shared.account)
    process = shared.spawn("--full", PYTHONPATH=KILL_POINTS, CEKURA_TEST_POINT=point)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0 and ALL:
        pytest.skip("It sends fewer statements.")
    assert process.returncode == -9, err
    assert shared.query("select count(*) from cekura.sync_log") == [(1,)]

    noted = shared.query("select scope from cekura._unfinished")
    ran = shared.sync(
        "--lookback", "1s", *([] if noted else ["--full"])
    )  # without a note nothing was written yet

    assert ran.code == 0, ran.err
    assert ran.json["mode"] == "full"
    shared.assert_equals_api()
    assert shared.query("select count(*) from cekura._unfinished") == [(0,)]


def test_a_first_load_that_was_killed_is_repaired_too(shared: Shared) -> None:
    process = shared.spawn(
        PYTHONPATH=KILL_POINTS, CEKURA_TEST_POINT='statement:INSERT INTO "cekura"."_dlt_loads"'
    )
    process.communicate(timeout=60)
    assert process.returncode == -9

    assert shared.sync().code == 0
    shared.assert_equals_api()


def test_while_one_sync_is_at_work_another_ends_with_exit_8(shared: Shared) -> None:
    others: list[Ran] = []

    def meanwhile(request: Request) -> Answer | None:
        shared.account.sandbox.intercept = None
        process = shared.spawn()
        out, err = process.communicate(timeout=60)
        others.append(Ran(process.returncode, out, err))
        return None

    shared.account.sandbox.intercept = meanwhile
    ran = shared.sync()

    assert (ran.code, [other.code for other in others]) == (0, [8])
    assert "Another sync is running on postgres:cekura" in others[0].err


def test_what_a_dead_sync_had_asked_the_engine_for_is_ended_first(shared: Shared) -> None:
    import psycopg2

    dead = psycopg2.connect(shared.address, application_name="cekura-sync cekura")
    asleep = threading.Thread(target=_sleep, args=(dead,))
    asleep.start()
    time.sleep(0.2)

    assert shared.sync().code == 0

    asleep.join(5)
    assert not asleep.is_alive()
    dead.close()


def _sleep(connection: Any) -> None:
    import psycopg2

    with connection.cursor() as cursor, pytest.raises(psycopg2.OperationalError):
        cursor.execute("select pg_sleep(60)")


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("", 2, "no credentials for postgres"),
        ("postgresql://cekura:hunter2@127.0.0.1:1/none", 9, "does not let us work"),
    ],
)
def test_without_a_way_in_it_says_so_and_never_the_password(
    shared: Shared, address: str, code: int, says: str
) -> None:
    ran = shared.sync(DESTINATION__POSTGRES__CREDENTIALS=address)

    assert (ran.code, ran.json["exit_code"]) == (code, code)
    assert says in ran.json["error"]
    assert "hunter2" not in ran.out + ran.err


def test_the_credentials_may_stand_in_dlts_own_file_and_nothing_else_there_counts(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt/secrets.toml").write_text(
        f'[destination.postgres]\ncredentials = "{shared.address}"\n[load]\nworkers = "many"\n'
    )
    (tmp_path / ".dlt/config.toml").write_text(
        '[destination]\nreplace_strategy = "none"\n[normalize]\nnaming = "nowhere"\n'
    )
    monkeypatch.chdir(tmp_path)
    del shared.env["DESTINATION__POSTGRES__CREDENTIALS"]

    assert shared.sync(NORMALIZE__WORKERS="many").code == 0
    shared.assert_equals_api()


def test_an_unknown_destination_is_refused(account: Account) -> None:
    ran = account.sync("--destination", "paper")

    assert ran.code == 2
    assert "choose postgres" in ran.json["error"]


def test_a_check_that_fails_leaves_the_sync_uncounted_until_it_is_mended(shared: Shared) -> None:
    assert shared.sync().code == 0
    (row,) = shared.query("select id from cekura.results where status = 'completed' limit 1")
    with PostgreSql(shared.address) as engine:
        engine.execute(f"insert into cekura.runs (id, result_id) values (1, {row[0]}), (1, {row[0]})")

    ran = shared.sync()

    assert ran.code == 5
    assert shared.query("select count(*) from cekura.sync_log") == [(1,)]


def test_text_that_the_engine_does_not_store_as_it_is_stops_no_sync(shared: Shared) -> None:
    """PostgreSQL has no character 0; the rest arrives to the letter."""
    ids = sorted(shared.world.results)
    odd = [
        "",
        "' or 1=1 --",
        'a "quoted" \\N one',
        "line\nbreak\ttab",
        "Ünïcödé 漢字 🤖",
        "\\'; drop table x; %s %(a)s {}",
    ]
    for result_id, name in zip(ids, odd, strict=False):
        shared.world.edit(result_id, name=name)
    shared.world.edit(ids[20], name="null\0byte")

    assert shared.sync().code == 0

    names = dict(shared.query("select id, name from cekura.results"))
    assert [names[result_id] for result_id in ids[: len(odd)]] == odd
    assert names[ids[20]].startswith("null")
    assert shared.sync("--full").json["updated"] == 0
