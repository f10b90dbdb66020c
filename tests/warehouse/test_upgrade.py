"""A warehouse that version 0.1.0 has made is brought up to date by the next sync.

Its file was made by that version from `account_of_then`, with --details, before the meaning of versions, of scenarios that are
objects, and of personal data was known.
"""

import gzip
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from cekura_sync.sandbox import Sandbox, World
from support.harness import Account, Ran

FILE = Path(__file__).parents[1] / "support" / "data" / "warehouse-0.1.0.duckdb.gz"
PLANTED = (
    b"Planted-Caller-Zq7",
    b"PLANTED-4711-0815",
    b"planted sentence of a caller",
    b"planted-stereo.wav",
    b"planted-waveform",
)


def account_of_then() -> World:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    world = World(
        results=6, agents=1, runs_per_result=2, days=5, in_flight=0, seed=1, now=now, vary_runs=False
    )
    for number, id_ in enumerate(sorted(world.results)):
        runs = [
            {
                "id": run["id"],
                "status": run["status"],
                "success": run["success"],
                "duration": run["duration"],
                "error_message": "",
                "scenario": {"id": run["scenario"], "name": run["scenario_name"]},
                "test_profile_data": {"customer_name": "Planted-Caller-Zq7"},
            }
            for run in world.results[id_]["runs"]
        ]
        version = {
            "history_id": 70 + number // 3,
            "version_id": f"v{number // 3}",
            "version_name": "Autumn" if number < 3 else "Winter",
            "is_current": False,
        }
        world.touchless_edit(id_, runs=runs, status="completed", agent_version=version)
    return world


@contextmanager
def made_by_0_1_0(folder: Path) -> Iterator[Account]:
    with Sandbox(account_of_then()) as sandbox:
        account = Account(sandbox, folder / "warehouse.duckdb")
        account.warehouse.write_bytes(gzip.decompress(FILE.read_bytes()))
        yield account


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Account, Ran]]:
    """The account after one full sync of today, and what that said."""
    with made_by_0_1_0(tmp_path_factory.mktemp("upgraded")) as account:
        plant_beside_metrics(account)
        assert all(text in files(account) for text in PLANTED)
        yield account, account.sync("--full-every", "0")


def plant_beside_metrics(account: Account) -> None:
    planted = {
        "max": '{"callTranscript": "planted sentence of a metric"}',
        "min": '{"threshold": "harmless"}',
    }
    with closing(duckdb.connect(account.warehouse)) as con:
        for which, more in planted.items():
            run = f"select {which}(run_id) from cekura.run_metrics"
            con.execute(f"update cekura.run_metrics set more = $1 where run_id = ({run})", [more])


def files(account: Account) -> bytes:
    return b"".join(path.read_bytes() for path in account.warehouse.parent.rglob("*") if path.is_file())


def test_what_it_stored_of_callers_and_calls_is_in_no_file_any_longer(upgraded: tuple[Account, Ran]) -> None:
    account, ran = upgraded

    assert ran.code == 0, ran.err
    assert [text for text in PLANTED if text in files(account)] == []
    assert account.sync("--full-every", "0").json["changed"] is False


@pytest.mark.long
def test_what_it_stored_beside_a_metric_goes_where_it_may_quote_a_call(upgraded: tuple[Account, Ran]) -> None:
    account, _ = upgraded

    assert b"planted sentence of a metric" not in files(account)
    assert account.query("select distinct more from cekura.run_metrics where more is not null") == [
        ('{"threshold": "harmless"}',)
    ]


def test_its_versions_and_scenarios_are_read_anew_and_then_nothing_changes(
    upgraded: tuple[Account, Ran],
) -> None:
    account, ran = upgraded

    assert (ran.code, ran.json["updated"]) == (0, 6)
    assert account.query("select count(*), count(scenario_id) from analytics.runs") == [(12, 12)]
    assert account.query("select count(*) from analytics.run_details") == [(12,)]
    assert_versions_and_counts_are_known(account)
    assert account.sync("--full").json["changed"] is False


def assert_versions_and_counts_are_known(account: Account) -> None:
    assert account.query("select sum(_runs_listed), count(_runs_decided) from cekura.results") == [(12, 6)]
    assert account.query(
        "select agent_version_id, agent_version, results from analytics.agent_version_pass_rate order by 1"
    ) == [("70", "Autumn", 3), ("71", "Winter", 3)]


def test_versions_of_results_that_are_never_listed_again_are_read_too(tmp_path: Path) -> None:
    with made_by_0_1_0(tmp_path) as account:
        ran = account.run("build")

    assert ran.code == 0, ran.err
    assert_versions_and_counts_are_known(account)


def test_details_that_it_read_stay_and_are_read_again_when_asked_for(upgraded: tuple[Account, Ran]) -> None:
    account, _ = upgraded
    before = account.query("select count(*) from cekura.run_metrics")
    assert before != [(0,)]

    ran = account.sync("--details")

    assert ran.code == 0, ran.err
    assert ran.json["details_read"] == 6
    assert account.query("select count(*) from cekura.run_metrics") == before
