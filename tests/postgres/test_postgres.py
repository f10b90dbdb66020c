"""`sync --destination postgres`, against a real server: the tables, views and promises of the file, in a shared engine."""

import json
import os
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cekura_sync import cli
from cekura_sync.models import runner
from cekura_sync.sandbox import Answer, Request
from support.aged import aged_by_one_list
from support.engines import comparable
from support.harness import HANG, PATIENCE, NewAccount, Ran, assert_same
from support.hostile_fields import FIELDS
from support.killing import change_the_account
from support.rare import rare
from support.shared import Shared

# What stands in these is of the moment at which they are asked, or at which the one sync or the other ran.
TIMES_OF_THEIR_OWN = ("sync_status", "live_results", "results", "stuck_results")


def test_it_has_the_rows_the_views_and_the_log_that_the_file_has(shared: Shared, tmp_path: Path) -> None:
    agent = shared.world.agents[0].id
    (tmp_path / "changes.csv").write_text(f"agent_id,at,note\n{agent},2026-03-10,100 % new\n")
    options = ("--full", "--details", "--transcripts", "--changes", str(tmp_path / "changes.csv"))
    for at, budget in (("first", "20"), ("second", "1000")):
        ran = shared.sync(*options, "--details-budget", budget)
        in_file = shared.account.sync(*options, "--details-budget", budget)
        assert (ran.code, ran.err) == (in_file.code, in_file.err) == (0, ""), at
        assert ran.json["warehouse"] == "postgres:127.0.0.1/warehouse"
        same = ("inserted", "updated", "deleted", "in_flight", "results", "details_read", "details_left")
        assert [ran.json[counter] for counter in same] == [in_file.json[counter] for counter in same], at
        shared.assert_equals_api()
        if at == "first":
            assert ran.json["details_left"] > 0
            change_the_account(shared.account)
            shared.world.edit(sorted(shared.world.results)[9], name="")
    assert shared.details() == shared.details_of_the_api()

    for model in runner.read_models(runner.models_dir()):
        if model.name not in TIMES_OF_THEIR_OWN:
            expected = shared.account.query(f"select * from analytics.{model.name}")
            found = shared.query(f"select * from analytics.{model.name}")
            assert comparable(found) == comparable(expected), model.name
    assert shared.log() == [("full", 1), ("full", 2)]
    assert shared.query(
        "select obj_description('analytics.agent_pass_rate'::regclass) like 'One row per agent%'"
    ) == [(True,)]
    shared.assert_nothing_is_left_over()


def test_a_sync_with_nothing_new_writes_its_line_in_the_log_and_no_more(
    shared: Shared, tmp_path: Path
) -> None:
    changes = tmp_path / "changes.csv"
    changes.write_text("agent_id,at,note\n,2026-03-10,100 % new\n")
    options = ("--changes", str(changes))
    shared.begin_synced()
    assert shared.sync(*options).json["changed"] is True
    before = shared.query("select xmin::text, id from cekura.results order by id")
    shared.world.edit(sorted(shared.world.results)[-2], name="")
    assert shared.sync(*options).json["updated"] == 1

    ran = shared.sync(*options)

    assert (ran.json["changed"], ran.json["updated"]) == (False, 0)
    after = shared.query("select xmin::text, id from cekura.results order by id")
    assert len(set(before) - set(after)) == 1
    assert shared.query("select count(*) from cekura.sync_log") == [(4,)]
    noted = "select line, agent_id, changed_at::text, note from cekura.changes"
    assert shared.query(noted) == [(2, None, "2026-03-10 00:00:00+00", "100 % new")]
    changes.write_text("agent_id,at,note\n")
    assert shared.sync(*options).json["changed"] is True
    assert shared.query(noted) == []


@pytest.mark.long
def test_a_sync_leaves_the_process_as_it_was(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of one's own in the same process copies rows in bulk, and its sessions are not taken for those of a sync."""
    from psycopg2 import extensions

    shared.begin_synced()
    shared.world.insert(2)
    for name, value in (shared.account.env | shared.env | {"PGAPPNAME": "theirs"}).items():
        monkeypatch.setenv(name, value)
    for options in (["--full"], ["--dry-run"], ["--api-url", "http://127.0.0.1:1"]):
        cli.run(["sync", "-q", "--timeout", "1s", *options])

        assert os.environ["PGAPPNAME"] == "theirs"
        assert extensions.get_wait_callback() is None


def test_a_dry_run_writes_nothing(shared: Shared) -> None:
    ran = shared.sync("--dry-run")

    assert ran.json["inserted"] == 40
    assert shared.query(
        "select count(*) from information_schema.schemata where schema_name in ('cekura', 'analytics')"
    ) == [(0,)]


@pytest.mark.long
def test_two_filters_share_the_tables_and_neither_hides_the_others_rows(shared: Shared) -> None:
    one, other = (agent.id for agent in shared.world.agents[:2])
    for agent in (one, other):
        assert shared.sync("--agent-id", str(agent)).code == 0
    deleted = next(id_ for id_, row in shared.account.api().items() if row["agent"] == one)
    shared.world.delete(deleted)

    assert shared.sync("--full", "--agent-id", str(one)).json["deleted"] == 1

    live = {id_: row for id_, row in shared.account.api().items() if row["agent"] in (one, other)}
    assert_same(shared.stored(), live)


def test_while_one_sync_is_at_work_another_ends_with_exit_8(shared: Shared) -> None:
    others: list[Ran] = []

    def meanwhile(request: Request) -> Answer | None:
        shared.account.sandbox.intercept = None
        process = shared.spawn()
        out, err = process.communicate(timeout=PATIENCE)
        others.append(Ran(process.returncode, out, err))
        return None

    shared.begin_synced()
    shared.account.sandbox.intercept = meanwhile
    ran = shared.sync()

    assert (ran.code, [other.code for other in others]) == (0, [8])
    assert "Another sync is running on postgres:127.0.0.1/warehouse" in others[0].err


@pytest.fixture
def _impatient(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of waiting for a lock is as good as five."""
    from cekura_sync.warehouse.postgres import session

    monkeypatch.setitem(session.SETTINGS, "lock_timeout", "1s")


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("command", ["sync", *rare("build")])
def test_a_reader_that_keeps_a_view_locked_stops_it_in_seconds_and_is_named(
    shared: Shared, command: str
) -> None:
    """Or all who read that view after it would wait with it."""
    import psycopg2

    shared.begin_synced()
    shared.execute("comment on schema cekura is 'cekura-sync of an older version'")
    with closing(psycopg2.connect(shared.address, application_name="Their BI")) as reader:
        process = reader.info.backend_pid
        reader.cursor().execute("select count(*) from analytics.agents")
        ran = shared.run(command)

    assert ran.code == 9, ran.err
    assert f"is locked by process {process} of user cekura (Their BI, idle in transaction)" in ran.err
    assert shared.log() == [("full", 1)]
    assert shared.run(command).code == 0


@pytest.mark.usefixtures("_impatient")
def test_a_reader_that_keeps_a_table_locked_is_named_while_dlt_waits_for_it(shared: Shared) -> None:
    import psycopg2

    shared.begin_synced()
    shared.world.edit(sorted(shared.world.results)[9], name="", of_its_own=1)  # a column more
    with closing(psycopg2.connect(shared.address)) as reader:
        process = reader.info.backend_pid
        reader.cursor().execute("lock table cekura.results in access share mode")
        ran = shared.sync("--full")

    assert ran.code == 9, ran.err
    assert f"is locked by process {process} of user cekura" in ran.err


def test_a_sync_that_waits_for_the_engine_stops_when_it_is_asked_to(shared: Shared) -> None:
    import psycopg2

    shared.begin_synced()
    with psycopg2.connect(shared.address) as reader, reader.cursor() as cursor:
        cursor.execute("lock table cekura.sync_log in share mode")
        process = shared.spawn()
        waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'cekura-sync cekura'"
        while not shared.query(waiting):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        process.communicate(timeout=PATIENCE)

    assert process.returncode == 143
    assert shared.log() == [("full", 1)]
    assert shared.sync().code == 0


def test_a_slow_commit_is_given_up_when_the_sync_is_asked_to_stop(shared: Shared) -> None:
    shared.begin_synced()
    shared.execute(
        "create or replace function public.dawdle() returns trigger language plpgsql as"
        " 'begin perform pg_sleep(120); return null; end'"
    )
    shared.execute(
        "create constraint trigger slow after insert on cekura.sync_log deferrable initially deferred"
        " for each row execute function public.dawdle()"
    )
    shared.world.insert(1)
    before = shared.stored()
    process = shared.spawn()
    committing = "select 1 from pg_stat_activity where query = 'commit' and state = 'active'"
    while not shared.query(committing):
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 143
    assert shared.log() == [("full", 1)]
    assert_same(shared.stored(), before)
    shared.execute("drop trigger slow on cekura.sync_log")
    assert shared.sync().code == 0
    shared.assert_equals_api()


def test_what_a_dead_sync_had_asked_the_engine_for_is_ended_first(shared: Shared) -> None:
    import psycopg2

    shared.begin_synced()
    dead = psycopg2.connect(shared.address, application_name="cekura-sync cekura")
    asleep = threading.Thread(target=_sleep, args=(dead,))
    asleep.start()
    while not shared.query(
        "select 1 from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'"
    ):
        assert asleep.is_alive()
        time.sleep(0.02)

    assert shared.sync().code == 0

    asleep.join(PATIENCE)
    assert not asleep.is_alive()
    dead.close()


def _sleep(connection: Any) -> None:
    import psycopg2

    with connection.cursor() as cursor, pytest.raises(psycopg2.OperationalError):
        cursor.execute(f"select pg_sleep({HANG})")


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("", 2, "no credentials for postgres"),
        ("postgresql://cekura:hunter2@127.0.0.1:1/none", 9, "refused:"),
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
    shared.begin_synced()
    shared.world.insert(2)
    del shared.env["DESTINATION__POSTGRES__CREDENTIALS"]

    assert shared.sync(NORMALIZE__WORKERS="many").code == 0
    shared.assert_equals_api()


def test_the_other_commands_look_into_the_engine_too(shared: Shared, tmp_path: Path) -> None:
    for command in ("status", "doctor", "build"):
        early = shared.run(command)
        assert (early.code, "sync" in early.out + early.err) == (9 if command == "build" else 0, True), (
            command
        )
        assert "cekura-sync sync --destination postgres`" in early.out + early.err, command
    assert "No sync of postgres:127.0.0.1/warehouse has completed yet" in shared.run("query", "select 1").err
    assert shared.sync("--details").code == 0

    age = shared.run("status", "--json", "--max-age", "1h")
    assert (age.code, age.json["warehouse"], age.json["last"]["results"]) == (
        0,
        "postgres:127.0.0.1/warehouse",
        40,
    )
    scope = ("--agent-id", str(shared.world.agents[0].id))
    assert shared.sync(*scope).code == 0
    shared.execute(
        "update cekura.sync_log set finished_at = finished_at - interval '3 hours' where scope = '{}'"
    )
    assert shared.run("status", "--max-age", "1h").code == 10
    assert shared.run("status", "--max-age", "1h", *scope).code == 0
    count = shared.run("query", "--json", "select count(*) as results from analytics.results")
    assert count.out.strip() == '[{"results": 40}]'
    assert shared.run("check").code == 0
    assert shared.run("build").code == 0
    assert shared.run("export", "runs", "metrics", "--to", str(tmp_path / "out")).code == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"runs.parquet", "metrics.parquet"}
    doctor = shared.run("doctor")
    assert doctor.code == 0, doctor.out
    assert "postgres:127.0.0.1/warehouse can be reached: postgres 1" in doctor.out
    assert "The last sync completed at" in doctor.out
    shared.execute("drop role if exists nobody")
    shared.execute("create role nobody login password 'secret'")
    address = shared.address.replace("://cekura:", "://nobody:")
    address = address.replace(address.split(":")[2].split("@")[0], "secret")
    refused = shared.run("doctor", DESTINATION__POSTGRES__CREDENTIALS=address)
    assert refused.code == 9
    assert "grant create on database warehouse to nobody" in refused.out


def test_a_check_that_fails_takes_the_sync_back(shared: Shared) -> None:
    shared.begin_synced()
    (row,) = shared.query("select id from cekura.results where status = 'completed' limit 1")
    shared.execute(f"insert into cekura.runs (id, result_id) values (1, {row[0]}), (1, {row[0]})")
    shared.world.insert(2)
    before = shared.query("select id, synced_at from cekura.results order by id")

    ran = shared.sync("--full")

    assert ran.code == 5
    assert "every_run_is_there_once" in ran.json["error"]
    assert shared.query("select id, synced_at from cekura.results order by id") == before
    assert shared.log() == [("full", 1)]


def test_a_quick_sync_checks_what_it_wrote(shared: Shared) -> None:
    shared.begin_synced()
    newest = max(shared.world.results)
    shared.execute(f"insert into cekura.failed_reasons (result_id) values ({newest})")
    shared.world.edit(newest, name="edited")

    ran = shared.sync()

    assert ran.code == 5
    assert "details_were_read" in ran.json["error"]
    assert shared.query("select count(*) from cekura.results where name = 'edited'") == [(0,)]


def test_a_view_that_changes_keeps_its_readers(shared: Shared) -> None:
    """Their grants, and what they have built on it; where that cannot be, the sync says so and changes nothing."""
    shared.begin_synced()
    shared.execute("drop role if exists reader")
    shared.execute("create role reader")
    shared.execute("grant select on analytics.agents to reader")
    shared.execute("create view public.theirs as select agent_id from analytics.agents")
    shared.execute("comment on schema cekura is 'cekura-sync of an older version'")
    assert shared.sync().code == 0
    assert shared.query("select has_table_privilege('reader', 'analytics.agents', 'select')") == [(True,)]

    shared.execute("drop view analytics.sync_status cascade")
    shared.execute("create view analytics.of_others as select 1 as one")
    shared.execute("create schema cekura_staging_theirs")
    shared.execute("create or replace view analytics.agents as select *, 1 as more from analytics.agents")
    shared.execute("comment on schema cekura is 'cekura-sync of an older version'")
    refused = shared.sync()

    assert refused.code == 9
    assert "view theirs depends on view analytics.agents" in refused.json["error"]
    assert shared.log() == [("full", 1), ("quick", 2)]
    shared.execute("drop view public.theirs")
    shared.execute("alter default privileges in schema analytics grant select on tables to reader")
    assert shared.sync().code == 0
    assert shared.query("select has_table_privilege('reader', 'analytics.agents', 'select')") == [(True,)]
    assert shared.query("select one, live_results from analytics.of_others, analytics.sync_status") == [
        (1, 40)
    ]


def test_what_the_engine_does_not_store_as_it_is_stops_no_sync(shared: Shared, tmp_path: Path) -> None:
    """PostgreSQL has no character 0, and dlt no word for a number that is none; the rest arrives to the letter."""
    ids = sorted(shared.world.results)
    odd = [
        "",
        "' or 1=1 --",
        'a "quoted" \\N one',
        "line\nbreak\ttab",
        "Ünïcödé 漢字 🤖",
        "\\'; drop table x; %s %(a)s {}",
        "\\.",
        "\r",
        ",NULL,",
        "long " * 100_000,
    ]
    for result_id, name in zip(ids, odd, strict=False):
        shared.world.edit(result_id, name=name)
    shared.world.edit(ids[20], name="null\0byte")
    shared.world.edit(ids[19], xmin="a new field", ctid="another")
    for result_id, duration in zip(ids[21:24], ("nan", "inf", "1:nan"), strict=True):
        runs = [run | {"duration": duration} for run in shared.world.results[result_id]["runs"]]
        shared.world.edit(result_id, runs=runs)
    changes = tmp_path / "changes.csv"
    changes.write_text("agent_id,at,note\n,2026-03-10,a\0b\n")

    def twins(request: Request, payload: dict[str, Any]) -> dict[str, Any] | None:
        if not request.path.endswith(f"/{ids[20]}/"):
            return None
        metrics = [{"name": "twin", "score": 1}, {"name": "tw\0in", "score": 2}]
        next(iter(payload["runs"].values()))["evaluation"] = {"metrics": metrics}
        return payload

    shared.account.sandbox.rewrite = twins
    assert shared.sync("--details", "--changes", str(changes)).code == 0
    assert shared.query("select score from cekura.run_metrics where name = 'twin'") == [(2.0,)]

    assert shared.query("select count(*) from cekura.runs where duration_seconds in ('nan', 'inf')") == [(0,)]
    names = dict(shared.query("select id, name from cekura.results"))
    assert [names[result_id] for result_id in ids[: len(odd)]] == odd
    copied = shared.run("query", "--json", "select id, name, project_id from cekura.results")
    assert {row["id"]: row["name"] for row in json.loads(copied.out)} == names
    assert {row["project_id"] for row in json.loads(copied.out)} == {None}
    assert names[ids[20]].startswith("null")
    assert shared.query("select api_xmin, api_ctid from cekura.results where api_xmin <> ''") == [
        ("a new field", "another")
    ]
    again = shared.sync("--full", "--changes", str(changes))
    assert (again.json["updated"], again.json["changed"]) == (0, False)


def test_fields_with_hostile_names_may_come_and_change(shared: Shared) -> None:
    shared.begin_synced()
    newest, second = sorted(shared.world.results, reverse=True)[:2]
    some_run = shared.world.results[second]["runs"][0]
    for turn in ("come", "change"):
        fields = {key: f"{value} {turn}" for key, value in FIELDS.items() if key != "result_id"}
        shared.world.edit(newest, **fields)
        shared.world.edit(second, name=turn, runs=[some_run | fields])

        ran = shared.sync("--details")

        assert ran.code == 0, (turn, ran.err)
        shared.assert_equals_api()
        kept = {
            value
            for row in shared.query(f"select * from cekura.results where id = {newest}")
            for value in row
        }
        assert {f"a smile {turn}", f"digits only {turn}", f"PostgreSQL's own, once {turn}"} <= kept
    assert shared.sync("--full", "--details").json["changed"] is False


def test_a_row_with_hundreds_of_new_fields_fits(shared: Shared) -> None:
    shared.begin_synced()
    newest, second = sorted(shared.world.results, reverse=True)[:2]
    many = {f"field_{number:03d}": "a value of 24 characters" for number in range(470)}
    shared.world.edit(newest, **many)
    runs = [run | many for run in shared.world.results[second]["runs"]]
    shared.world.edit(second, runs=runs)

    ran = shared.sync("--details")

    assert ran.code == 0, ran.err
    assert "170 fields of the API were left out, such as field_300" in ran.err
    shared.assert_equals_api()
    assert shared.query(f"select field_000, field_299 from cekura.results where id = {newest}") == [
        ("a value of 24 characters",) * 2
    ]
    assert shared.sync("--full", "--details").json["changed"] is False


@pytest.mark.long
def test_what_a_database_sets_for_its_sessions_does_not_count(shared: Shared, tmp_path: Path) -> None:
    id_ = min(shared.world.results)
    notes = ["C:\\temp", "it\\'s", "'; drop schema cekura cascade; --\\"]
    changes = tmp_path / "changes.csv"
    changes.write_text("agent_id,at,note\n" + "".join(f',2026-11-20,"{note}"\n' for note in notes))
    shared.world.edit(id_, name="Anruf 日本 \\ 🙂")
    wishes = (
        "client_encoding = LATIN1",
        "standard_conforming_strings = off",
        "statement_timeout = '100ms'",
        "datestyle = german",
    )
    try:
        for wish in wishes:
            shared.execute(f"alter database warehouse set {wish}")
        codes = [shared.sync("--full", "--changes", str(changes)).code for _ in range(2)]
        codes.append(shared.run("build", "--changes", str(changes)).code)
    finally:
        shared.execute("alter database warehouse reset all")
    for options in (
        "-c standard_conforming_strings=off",
        "-c standard_conforming_strings=off -c work_mem=5MB",
    ):
        codes.append(shared.run("build", "--changes", str(changes), PGOPTIONS=options).code)

    assert codes == [0, 0, 0, 0, 0]
    for table in ("cekura.changes", "analytics.agent_change_effect"):
        found = {note for (note,) in shared.query(f"select distinct note from {table}")}
        assert found == {*notes}, table
    shared.assert_equals_api()
    assert shared.run("check").code == 0


def test_a_table_that_may_not_be_read_is_not_taken_for_an_empty_one(shared: Shared) -> None:
    shared.begin_synced()
    shared.execute("drop role if exists looker")
    shared.execute("create role looker login password 'looks'")
    address = shared.address.replace("cekura:", "looker:").replace(
        shared.address.split(":")[2].split("@")[0], "looks"
    )
    as_looker = {"DESTINATION__POSTGRES__CREDENTIALS": address}
    try:
        for grant in (
            None,
            "grant usage on schema cekura to looker",
            "grant select on cekura.results to looker",
        ):
            if grant:
                shared.execute(grant)
            for command in (("status",), ("query", "select count(*) from analytics.runs")):
                asked = shared.run(*command, **as_looker)
                assert (asked.code, asked.out) == (9, ""), (grant, command)
                assert "permission denied for" in asked.err
        shared.execute("grant select on all tables in schema cekura to looker")
        assert shared.run(
            "query", "select count(*) as n from analytics.runs", "--json", **as_looker
        ).json == [{"n": shared.query("select count(*) from analytics.runs")[0][0]}]
    finally:
        shared.execute("drop owned by looker cascade")
        shared.execute("drop role looker")


def test_the_lock_outlasts_what_the_server_does_with_idle_sessions(shared: Shared) -> None:
    shared.begin_synced()
    shared.execute("alter database warehouse set idle_session_timeout = '300ms'")
    shared.execute("alter database warehouse set timezone = 'America/St_Johns'")
    shared.account.sandbox.latency = 0.8
    try:
        assert shared.sync().code == 0
        assert shared.run("status", "--json").json["last_sync"].endswith("+00:00")
    finally:
        shared.execute("alter database warehouse reset all")
        shared.account.sandbox.latency = 0.0

    shared.assert_equals_api()


@pytest.mark.long
def test_a_run_that_two_results_list_stops_no_later_sync_and_goes_back_to_the_older_one(
    shared: Shared,
) -> None:
    """The one that has lost it is read again each time: what a sync leaves without a digest is its own row all the same."""
    shared.begin_synced()
    world = shared.world
    one, other, older, newer = sorted(world.results)[:4]
    before = list(world.results[other]["runs"])
    world.touchless_edit(other, runs=[*before, world.results[one]["runs"][0]])
    runs = [*world.results[newer]["runs"], world.results[older]["runs"][0]]
    world.touchless_edit(newer, runs=runs)
    assert shared.sync("--full").code == 0
    assert shared.query("select id from cekura.results where _digest is null order by id") == [
        (one,),
        (older,),
    ]
    assert shared.sync("--full").json["changed"] is False
    world.touchless_edit(other, runs=before)
    world.delete(newer)
    shared.account.sandbox.change(summaries=False)  # the list no longer shows runs: they are still followed
    world.rerun(sorted(world.results)[9])
    world.finish()

    assert shared.sync("--full").json["deleted"] == 1

    shared.assert_equals_api()


def test_a_database_that_cannot_keep_every_letter_is_refused(shared: Shared) -> None:
    shared.execute("drop database if exists latin")
    shared.execute("create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
    refused = shared.sync(DESTINATION__POSTGRES__CREDENTIALS=shared.address.replace("/warehouse", "/latin"))

    assert refused.code == 9
    assert "stores text as LATIN1" in refused.err
    shared.execute("drop database latin")


@pytest.mark.long
def test_what_has_aged_out_by_the_list_of_one_agent_is_judged_again_by_the_list_of_all(
    new_account: NewAccount, server: str
) -> None:
    account, agent, gone = aged_by_one_list(new_account)
    shared = Shared(account, server)
    assert shared.sync().code == 0
    account.world.delete(gone)
    assert shared.sync("--agent-id", agent).json["deleted"] == 0

    assert shared.sync("--full").json["deleted"] == 1

    assert shared.sync("--full").json["changed"] is False
