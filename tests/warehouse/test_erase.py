"""What is erased is in no file any longer, and no later sync brings it back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.harness import Account
from support.rare import rare
from support.shared import Shared

# A quick sync reads all of an account whose results fit on one page.
OPTIONS = ("--details", "--transcripts")


@pytest.fixture
def account(new_synced: Callable[..., Account]) -> Account:
    return new_synced(*OPTIONS, arrange=plant_a_name, results=12, runs_per_result=2, in_flight=0, agents=3)


def plant_a_name(account: Account) -> None:
    account.world.edit(min(account.world.results), name="Planted-Zq7")


def in_files(account: Account, text: str) -> bool:
    return any(
        text.encode() in path.read_bytes() for path in account.warehouse.parent.rglob("*") if path.is_file()
    )


def ids_of(account: Account, table: str, column: str = "result_id") -> set[int]:
    return {id_ for (id_,) in account.query(f"select distinct {column} from cekura.{table}")}


def test_an_erased_result_is_in_no_table_and_no_file_and_stays_away(account: Account) -> None:
    erased = min(account.world.results)
    assert in_files(account, "Planted-Zq7")

    ran = account.run("erase", "--result", str(erased))

    assert ran.code == 0, ran.err
    assert "Erased 1 result." in ran.err
    assert not in_files(account, "Planted-Zq7")
    account.world.edit(erased, name="Planted-Zq8")
    account.world.insert(1)
    for more in ((), ("--full",)):
        synced = account.sync(*OPTIONS, *more)
        assert (synced.code, synced.json["rejected"]) == (0, 0), synced.err
    assert erased not in ids_of(account, "results", "id")
    for table in (
        "runs",
        "result_scenarios",
        "run_details",
        "run_metrics",
        "transcript_turns",
        "details_read",
    ):
        assert erased not in ids_of(account, table), table
    assert not in_files(account, "Planted-Zq8")
    assert ids_of(account, "results", "id") == {*account.world.results} - {erased}
    assert account.run("check").code == 0


def test_an_erased_result_that_can_no_longer_be_read_leaves_no_text(account: Account) -> None:
    erased = min(account.world.results)
    assert account.run("erase", "--result", str(erased)).code == 0
    account.world.touchless_edit(erased, total_runs_count="Planted-Zq9")

    assert account.sync().code == 0

    assert not in_files(account, "Planted-Zq9")


def test_all_results_of_an_agent_and_all_before_a_day_are_erased(account: Account) -> None:
    agent = account.world.results[min(account.world.results)]["agent"]
    day = (datetime.now(UTC) - timedelta(days=10)).date()

    assert account.run("erase", "--agent", str(agent)).code == 0
    assert account.run("erase", "--before", str(day)).code == 0

    assert account.sync().code == 0
    kept = {
        id_
        for id_, row in account.world.results.items()
        if row["agent"] != agent and datetime.fromisoformat(row["created_at"]).date() >= day
    }
    assert ids_of(account, "results", "id") == kept


def test_only_what_was_said_is_erased_and_is_not_read_again(account: Account) -> None:
    erased = max(ids_of(account, "transcript_turns"))
    rates = account.query("select * from analytics.agent_pass_rate order by all")

    assert account.run("erase", "--result", str(erased), "--transcripts-only").code == 0
    account.world.touchless_edit(erased, name="renamed")
    assert account.sync(*OPTIONS).code == 0

    assert erased not in ids_of(account, "transcript_turns")
    assert erased in ids_of(account, "run_details")
    assert account.query("select * from analytics.agent_pass_rate order by all") == rates
    assert account.query(f"select name from cekura.results where id = {erased}") == [("renamed",)]


def test_an_explanation_that_quotes_what_was_said_goes_with_it(account: Account) -> None:
    erased = min(ids_of(account, "run_metrics"))
    quoted = (
        ("run_metrics", "explanation"),
        ("expected_outcomes", "explanation"),
        ("failed_reasons", "reason"),
    )

    def texts(of: str) -> int:
        return sum(
            account.query(f"select count({column}) from cekura.{table} where result_id {of}")[0][0]
            for table, column in quoted
        )

    scores = account.query("select count(score) from cekura.run_metrics")
    others = texts(f"<> {erased}")
    assert texts(f"= {erased}")

    assert account.run("erase", "--result", str(erased), "--transcripts-only").code == 0

    assert (texts(f"= {erased}"), texts(f"<> {erased}")) == (0, others)
    assert account.query("select count(score) from cekura.run_metrics") == scores
    assert account.run("check").code == 0


def test_rejected_rows_of_results_that_are_not_in_the_warehouse_are_erased_too(account: Account) -> None:
    agent, other = (account.world.agents[number].id for number in (0, 1))
    # One says it behind a field that is longer than what is kept of a row, one names another agent and time first,
    # two say the agent's name too.
    named = {"id": agent, "name": "Aurora"}
    for of, name, first in (
        (agent, "Planted-A1", "x" * 320_000),
        (other, "Planted-B2", {"agent": agent, "created_at": "2019-01-01T00:00:00Z"}),
        (named, "Planted-D4", ""),
        (named, "Planted-E5", "x" * 320_000),
    ):
        (id_,) = account.world.insert(agent=of, name=name, total_runs_count="many")
        row = {"name": name, "first": first, **account.world.results[id_]}
        account.world.set_raw(id_, json.dumps(row).encode())
    long_ago = datetime(2025, 1, 1, tzinfo=UTC)
    account.world.insert(
        agent=other, name="Planted-C3", total_runs_count="many", runs=[], created_at=long_ago
    )
    assert account.sync().json["rejected"] == 5

    assert account.run("erase", "--agent", str(agent)).code == 0
    assert account.run("erase", "--before", "2025-06-01").code == 0
    assert account.sync().json["rejected"] == 1

    planted = ("Planted-A1", "Planted-B2", "Planted-C3", "Planted-D4", "Planted-E5")
    assert [name for name in planted if in_files(account, name)] == ["Planted-B2"]


def test_a_result_that_was_deleted_at_the_vendor_loses_what_was_said_at_the_next_sync(
    account: Account,
) -> None:
    deleted = max(ids_of(account, "transcript_turns"))
    account.world.delete(deleted)

    for _ in range(2):
        assert account.sync("--full", "--details", "--transcripts").code == 0

    assert deleted not in ids_of(account, "transcript_turns")
    assert ids_of(account, "transcript_turns")
    assert deleted in ids_of(account, "results", "id")
    assert account.sync(*OPTIONS).json["changed"] is False


def test_one_choice_is_needed(account: Account) -> None:
    assert account.run("erase").code == 2
    assert account.run("erase", "--result", "1", "--agent", "2").code == 2


def test_what_is_erased_in_postgresql_stays_away(shared: Shared) -> None:
    assert shared.sync("--full").code == 0
    erased = min(shared.account.world.results)

    assert shared.run("erase", "--result", str(erased)).code == 0
    shared.account.world.edit(erased, name="edited")
    assert shared.sync("--full").code == 0

    for table, column in (("results", "id"), ("runs", "result_id")):
        assert shared.query(f"select count(*) from cekura.{table} where {column} = {erased}") == [(0,)]


@pytest.mark.parametrize("later", [*rare(OPTIONS), ("--full",)])
def test_what_was_said_goes_once_it_is_older_than_it_is_kept(
    account: Account, later: tuple[str, ...]
) -> None:
    old = age(account, 40)
    assert account.sync(*OPTIONS).code == 0
    young = ids_of(account, "transcript_turns") - old
    assert old <= ids_of(account, "transcript_turns")
    assert in_files(account, "Planted-said")
    assert in_files(account, "Planted-name")

    for _ in range(2):
        synced = account.sync(*later, "--keep-transcripts", "30d")
        assert synced.code == 0, synced.err

    assert synced.json["changed"] is False
    assert ids_of(account, "transcript_turns") == young
    assert not in_files(account, "Planted-said")
    assert not in_files(account, "Planted-name")
    assert old <= ids_of(account, "run_details")


def test_old_results_are_read_without_what_was_said_until_it_is_kept_for_longer(account: Account) -> None:
    old = age(account, 40)
    assert account.sync(*OPTIONS, "--keep-transcripts", "30d").code == 0
    assert not old & ids_of(account, "transcript_turns")
    assert not in_files(account, "Planted-said")
    assert old <= ids_of(account, "run_details")

    assert account.sync(*OPTIONS, "--keep-transcripts", "90d").code == 0
    assert old <= ids_of(account, "transcript_turns")


def test_test_profiles_go_once_they_are_older_than_what_was_said_is_kept(account: Account) -> None:
    age(account, 40)
    read = ("--details", "--profiles")
    (account.warehouse.parent / "other").mkdir()
    account.warehouse = account.warehouse.parent / "other" / account.warehouse.name
    assert account.sync(*read).code == 0
    assert in_files(account, "Planted-name")

    for _ in range(2):
        assert account.sync(*read, "--keep-transcripts", "30d").code == 0

    assert not in_files(account, "Planted-name")


def test_to_keep_what_was_said_for_no_time_is_refused(account: Account) -> None:
    ran = account.sync("--transcripts", "--keep-transcripts", "0")

    assert ran.code == 2
    assert "--keep-transcripts 0 keeps nothing" in ran.err


def test_in_postgresql_what_was_said_goes_once_it_is_older_than_it_is_kept(shared: Shared) -> None:
    old = age(shared.account, 40)
    query = "select distinct result_id from cekura.transcript_turns"
    assert shared.sync("--full", *OPTIONS).code == 0
    said = {id_ for (id_,) in shared.query(query)}
    assert old <= said

    for _ in range(2):
        synced = shared.sync("--full", *OPTIONS, "--keep-transcripts", "30d")
        assert synced.code == 0, synced.err

    assert synced.json["changed"] is False
    assert {id_ for (id_,) in shared.query(query)} == said - old
    assert shared.query("select count(*) from cekura.details_read where with_transcripts") == [
        (len(said - old),)
    ]


def age(account: Account, days: int) -> set[int]:
    """Let the oldest two completed results be created that long ago."""
    ids = sorted(id_ for id_, row in account.world.results.items() if row["status"] == "completed")[:2]
    for id_ in ids:
        created = datetime.now(UTC) - timedelta(days=days)
        account.world.edit(id_, created_at=created.isoformat())
    account.sandbox.rewrite = lambda _, payload: plant(payload) if payload.get("id") in ids else None
    return {*ids}


def plant(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Into the full record of a result."""
    if not isinstance(payload.get("runs"), dict):
        return None
    for run in payload["runs"].values():
        run["transcript_object"] = [{"role": "caller", "content": "Planted-said"}]
        run["metadata"] = {"said": "Planted-said"}
        run["test_profile_data"] = {"customer_name": "Planted-name"}
    return payload
