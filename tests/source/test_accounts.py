"""Several accounts in the same tables: whose a row is stands first in every key, and nobody touches the rows of another."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cekura_sync import cekura_source, cekura_views
from cekura_sync.errors import SettingsError
from cekura_sync.sandbox import Sandbox, World
from support.answers import ROOT
from support.destinations import Filled
from support.harness import assert_same, require_destination, truth

ACCOUNTS = 20
ENGINES = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
SCRIPT = """
import sys
import dlt
from cekura_sync import cekura_source

folder, account, key, url = sys.argv[1:]
pipeline = dlt.pipeline(account, destination=dlt.destinations.filesystem(f"{folder}/lake"), dataset_name="raw", pipelines_dir=f"{folder}/state")
pipeline.run(cekura_source(key, url, account=account), table_format="delta")
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[Filled]]:
    """The same ids in two accounts, and one file for both."""
    with Sandbox(world()) as one, Sandbox(world()) as other:
        yield [Filled("duckdb", tmp_path, sandbox) for sandbox in (one, other)]


def world(seed: int = 1) -> World:
    return World(results=20, runs_per_result=2, agents=2, in_flight=1, days=20, seed=seed)


def test_the_rows_of_one_account_are_not_those_of_another(two: list[Filled]) -> None:
    named = {"eu-1": two[0], "us-1": two[1]}
    for name, filled in named.items():
        filled.run(state=name, account=name)
    eu = two[0].sandbox.world
    ids = sorted(eu.results)
    eu.delete(ids[3])
    eu.drop_runs(ids[4])
    eu.edit(ids[5], name="renamed")
    two[1].sandbox.world.insert(1)
    loaded = [filled.run(state=name, account=name, full=True)["results"] for name, filled in named.items()]

    assert loaded == [3, 1]
    for name, filled in named.items():
        api = {id_: truth(row) for id_, row in filled.sandbox.world.results.items()}
        assert_same(filled.stored(f"account = '{name}'"), api)
        cekura_views(filled.pipeline(name), f"analytics_{name.replace('-', '_')}", name)
    with two[0].reader() as con:
        for schema, filled in (("analytics_eu_1", two[0]), ("analytics_us_1", two[1])):
            live = con.execute(f"select live_results from {schema}.sync_status").fetchall()
            assert live == [(len(filled.sandbox.world.results),)]
        (together,) = re.findall(r"```sql\n(create view agent_pass_rate_of_all.*?)```", ENGINES, re.DOTALL)
        con.execute(together.replace("create view", "create temp view"))
        by_account = "select account, sum(completed_results) from agent_pass_rate_of_all group by account order by account"
        results = [
            con.execute(f"select sum(completed_results) from analytics_{name}.agent_pass_rate").fetchone()[0]
            for name in ("eu_1", "us_1")
        ]
        assert con.execute(by_account).fetchall() == [*zip(named, results, strict=True)]


def test_views_need_the_account_that_the_tables_have(two: list[Filled]) -> None:
    two[0].run(account="eu-1")

    with pytest.raises(SettingsError, match="call cekura_views with account="):
        cekura_views(two[0].pipeline())
    for nothing in ("", " "):
        with pytest.raises(SettingsError, match="schema= is empty"):
            cekura_views(two[0].pipeline(), nothing, "eu-1")


@pytest.mark.parametrize("name", ["", "../up", "a'b", "x" * 65])
def test_an_account_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is not a name"):
        cekura_source("key", account=name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page_size", -1),
        ("page_size", 0),
        ("concurrency", -2),
        ("page_size", "many"),
        ("agent_id", "4101,4102"),
    ],
)
def test_a_number_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"{name} is '{value}': write a whole number"):
        cekura_source("key", **{name: value})


@pytest.mark.long
def test_twenty_accounts_fill_one_lake_two_at_a_time_twice(tmp_path: Path) -> None:
    require_destination("deltalake")
    with ExitStack() as stack:
        accounts = {
            f"account-{number}": stack.enter_context(Sandbox(world(number))) for number in range(ACCOUNTS)
        }
        for _ in range(2):
            names = [*accounts]
            for pair in zip(names[::2], names[1::2], strict=True):
                _load_at_once(tmp_path, {name: accounts[name] for name in pair})
            for name, sandbox in accounts.items():
                stored = Filled("delta", tmp_path, sandbox).stored(f"account = '{name}'")
                assert_same(stored, {id_: truth(row) for id_, row in sandbox.world.results.items()})
                sandbox.world.insert(2)
                sandbox.world.drop_runs(sorted(sandbox.world.results)[-4])


def _load_at_once(folder: Path, accounts: dict[str, Sandbox]) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), name, sandbox.key, sandbox.url],
            env=os.environ
            | {
                "DESTINATION__FILESYSTEM__DELTALAKE_STREAMED_EXEC": "false",
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, sandbox in accounts.items()
    ]
    for process in running:
        _, err = process.communicate()
        assert process.returncode == 0, err
