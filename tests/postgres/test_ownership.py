"""What others have in the engine stays theirs: a sync that would need their names is refused, and has made nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.shared import Shared

LOADER = "postgresql://loader:secret@"
PIPELINE = """
import dlt
from cekura_sync import cekura_source
dlt.pipeline("theirs", destination="postgres", dataset_name="cekura").run(cekura_source())
"""


@pytest.fixture
def loader(shared: Shared) -> Iterator[Shared]:
    """Who syncs may create schemas, and is no superuser."""
    shared.execute("create role loader login password 'secret'; create role somebody")
    shared.execute("grant create on database warehouse to loader")
    shared.env["DESTINATION__POSTGRES__CREDENTIALS"] = LOADER + shared.address.split("@")[1]
    yield shared
    shared.execute("drop schema if exists cekura, analytics cascade; drop owned by loader, somebody")
    shared.execute("drop role loader, somebody")


def everything(shared: Shared) -> list[tuple[Any, ...]]:
    """Every schema and what is in it, with its definition, and the comments."""
    return shared.query(
        "select nspname::text, obj_description(oid, 'pg_namespace'), '' from pg_namespace where nspname !~ '^pg_'"
        " union all select relnamespace::regnamespace || '.' || relname, obj_description(oid, 'pg_class'),"
        " relkind::text || coalesce(pg_get_viewdef(oid), '')"
        " from pg_class where relnamespace::regnamespace::text !~ '^(pg_|information_schema)' order by 1"
    )


def assert_refused(shared: Shared, *says: str) -> None:
    before = everything(shared)

    for command in (["sync", "--json", "-q"], ["sync", "--json", "-q", "--dry-run"], ["doctor"]):
        ran = shared.run(*command)
        assert ran.code == 9, (command, ran.out, ran.err)
        for words in says:
            assert words in ran.out, command
    assert everything(shared) == before


def test_a_schema_of_somebody_elses_is_refused(loader: Shared) -> None:
    loader.execute("create schema cekura authorization somebody")
    assert_refused(loader, "The schema cekura in postgres:127.0.0.1/warehouse belongs to somebody")
    loader.execute("grant all on schema cekura to loader")
    assert_refused(loader, "The schema cekura in postgres:127.0.0.1/warehouse belongs to somebody")
    loader.execute("alter role loader superuser")
    assert_refused(loader, "alter schema cekura owner to loader")
    loader.execute("alter role loader nosuperuser")
    loader.execute("drop schema cekura")
    loader.execute("create schema analytics authorization somebody")
    assert_refused(loader, "belongs to somebody", "grant usage, create on schema analytics to loader")

    loader.execute("grant usage, create on schema analytics to loader")
    assert loader.sync().code == 0
    loader.execute("alter view analytics.agents owner to somebody")
    assert_refused(loader, "The view analytics.agents in", "belongs to another user")


def test_a_schema_that_was_made_for_the_group_of_who_syncs_is_taken(loader: Shared) -> None:
    loader.execute("create schema cekura authorization somebody; grant somebody to loader")

    assert (loader.sync().code, loader.sync().code) == (0, 0)
    loader.assert_equals_api()


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        ("create table analytics.results (id int)", "The table analytics.results in"),
        (
            "create materialized view analytics.runs as select 1 as id",
            "The materialized view analytics.runs in",
        ),
        ("create view analytics.agents as select 1 as agent_id", "The view analytics.agents in"),
        ("create table cekura.results (id int)", "The table cekura.results in"),
        ("create view cekura.runs as select 1 as id", "The view cekura.runs in"),
        ("create table cekura.sync_log (id int)", "The table cekura.sync_log in"),
    ],
)
def test_at_the_first_sync_a_name_of_ours_that_is_taken_is_refused(
    shared: Shared, theirs: str, says: str
) -> None:
    shared.execute("create schema cekura; create schema analytics; comment on schema cekura is 'of theirs'")
    shared.execute(theirs)

    assert_refused(shared, says, "rename", "into another database")


def test_a_view_of_theirs_is_not_replaced_by_one_of_ours_that_is_new(shared: Shared) -> None:
    shared.begin_synced()
    shared.execute("comment on schema cekura is 'cekura-sync of an older version'")
    shared.execute(
        "drop view analytics.data_quality; create view analytics.data_quality as select 1 as theirs"
    )

    assert_refused(shared, "The view analytics.data_quality in", "rename or drop it")
    assert shared.run("build").code == 9
    assert shared.query("select theirs from analytics.data_quality") == [(1,)]


def test_tables_that_a_pipeline_of_ones_own_filled_are_not_adopted(shared: Shared, tmp_path: Any) -> None:
    env = {
        "SOURCES__CEKURA__API_KEY": shared.account.sandbox.key,
        "SOURCES__CEKURA__API_URL": shared.account.sandbox.url,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
    }
    subprocess.run(
        [sys.executable, "-c", PIPELINE], env=os.environ | shared.env | env, check=True, cwd=tmp_path
    )
    assert_refused(shared, "a dlt pipeline of your own", "another dataset_name")

    shared.execute("drop schema cekura, cekura_staging cascade")
    assert shared.sync().code == 0
    shared.execute(
        "update cekura.results set first_seen_at = null where id = (select min(id) from cekura.results)"
    )
    assert_refused(shared, "holds rows that no sync wrote", "another dataset_name")


def test_a_first_sync_that_fails_leaves_nothing(shared: Shared) -> None:
    shared.execute("create schema analytics; create type analytics.agents as enum ('theirs')")
    for prepare in ("", "create schema cekura", "comment on schema cekura is 'of theirs'"):
        if prepare:
            shared.execute(prepare)
        before = everything(shared)

        ran = shared.sync(*([] if prepare else ["--details"]))

        assert ran.code == 9, ran.err
        assert 'type "agents" already exists' in ran.json["error"]
        assert everything(shared) == before, prepare


def test_a_table_of_ours_that_somebody_has_reshaped_is_no_bug_of_ours(shared: Shared) -> None:
    shared.begin_synced()
    shared.execute("drop view analytics.sync_status cascade")
    shared.execute("alter table cekura.rejected_rows rename to theirs")
    shared.execute("create table cekura.rejected_rows (_digest int[], id text)")
    shared.execute("insert into cekura.rejected_rows values ('{1}', 'one')")
    ran = shared.sync()

    assert ran.code == 9, ran.err
    assert "cekura.rejected_rows" in ran.json["error"]
