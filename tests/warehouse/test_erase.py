"""What is erased is in no file any longer, and no later sync brings it back."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from cekura_sync.database import column_list
from cekura_sync.tables import ERASED
from cekura_sync.warehouse import erase
from cekura_sync.warehouse.erase import Selection
from support.harness import Account
from support.rare import rare
from support.shared import Shared

# A quick sync reads all of an account whose results fit on one page.
OPTIONS = ("--details", "--transcripts")


KIND = {"results": 12, "runs_per_result": 2, "in_flight": 0, "agents": 3}


@pytest.fixture
def account(new_synced: Callable[..., Account]) -> Account:
    return new_synced(*OPTIONS, arrange=plant_into_old_ones, **KIND)


def plant_into_old_ones(account: Account) -> None:
    """The oldest two completed results were created forty days earlier, and their calls are recognised; one has a name."""
    ids, world = old_ones(account), account.world
    for id_ in ids:
        created = datetime.fromisoformat(world.results[id_]["created_at"]) - timedelta(days=40)
        world.touchless_edit(id_, created_at=created.isoformat())
    world.touchless_edit(min(world.results), name="Planted-Zq7")
    account.sandbox.rewrite = lambda _, payload: plant(payload) if payload.get("id") in ids else None


def old_ones(account: Account) -> set[int]:
    return {*sorted(id_ for id_, row in account.world.results.items() if row["status"] == "completed")[:2]}


def plant(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Into the full record of a result."""
    if not isinstance(payload.get("runs"), dict):
        return None
    for run in payload["runs"].values():
        run["transcript_object"] = [{"role": "caller", "content": "Planted-said"}]
        run["metadata"] = {"said": "Planted-said"}
        run["test_profile_data"] = {"customer_name": "Planted-name"}
    return payload


def in_files(account: Account, text: str) -> bool:
    return any(
        text.encode() in path.read_bytes() for path in account.warehouse.parent.rglob("*") if path.is_file()
    )


def note_as_told(account: Account, news: Sequence[tuple[str, str]]) -> None:
    """As a sync with receivers would have."""
    with duckdb.connect(str(account.home / "base.duckdb")) as con:
        con.executemany("insert into cekura._told (receiver, kind, subject) values ('somebody', ?, ?)", news)


def of_agent(account: Account, agent: int) -> int:
    """The newest result of the agent that is not among those that were rejected."""
    return int(account.query(f"select max(id) from cekura.results where agent = {agent}")[0][0])


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
    synced = account.sync(*OPTIONS)
    assert (synced.code, synced.json["rejected"]) == (0, 0), synced.err
    for row in (
        json.dumps(account.world.results[erased] | {"total_runs_count": "Planted-Zq9"}).encode(),
        b'{"id": %d, "name": "Planted-Zq9", "success_rate": NaN}' % erased,
    ):
        account.world.set_raw(erased, row)  # it can no longer be read
        synced = account.sync(*OPTIONS)
        assert (synced.code, synced.json["rejected"]) == (0, 0), synced.err
        assert not in_files(account, "Planted-Zq9")
    assert account.sync(*OPTIONS, "--full").json["changed"] is False
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
    assert not in_files(account, "Planted-Zq9")
    assert ids_of(account, "results", "id") == {*account.world.results} - {erased}
    assert account.run("check").code == 0


def test_only_what_was_said_is_erased_and_is_not_read_again(account: Account) -> None:
    """An explanation that quotes it goes with it."""
    erased = max(ids_of(account, "transcript_turns"))
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
    rates = account.query("select * from analytics.agent_pass_rate order by all")
    others = texts(f"<> {erased}")
    assert texts(f"= {erased}")

    assert account.run("erase", "--result", str(erased), "--transcripts-only").code == 0

    assert (texts(f"= {erased}"), texts(f"<> {erased}")) == (0, others)
    assert account.query("select count(score) from cekura.run_metrics") == scores
    assert account.run("check").code == 0
    account.world.touchless_edit(erased, name="renamed")
    assert account.sync(*OPTIONS).code == 0

    assert erased not in ids_of(account, "transcript_turns")
    assert erased in ids_of(account, "run_details")
    assert account.query("select * from analytics.agent_pass_rate order by all") == rates
    assert account.query(f"select name from cekura.results where id = {erased}") == [("renamed",)]


def test_all_results_of_an_agent_and_all_before_a_day_are_erased(account: Account) -> None:
    """And rejected rows of results that are not in the warehouse."""
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
    rejected = ids_of(account, "rejected_rows", "id")
    day = (datetime.now(UTC) - timedelta(days=10)).date()

    told = [
        ("stuck", str(of_agent(account, agent))),
        ("regressed", str(agent)),
        ("newly failing", f"{agent} x"),
    ]
    others = [("stuck", str(of_agent(account, other))), ("regressed", str(other)), ("regressed", f"{agent}0")]
    note_as_told(account, [*told, *others])

    assert account.run("erase", "--agent", str(agent)).code == 0
    assert account.query("select kind, subject from cekura._told order by all") == sorted(others)
    assert account.run("erase", "--before", str(day)).code == 0
    assert account.sync().json["rejected"] == 1

    kept = {
        id_
        for id_, row in account.world.results.items()
        if row["agent"] != agent and datetime.fromisoformat(row["created_at"]).date() >= day
    }
    assert ids_of(account, "results", "id") == kept - rejected != set()

    planted = ("Planted-A1", "Planted-B2", "Planted-C3", "Planted-D4", "Planted-E5")
    assert [name for name in planted if in_files(account, name)] == ["Planted-B2"]


def test_an_id_is_noted_once_however_often_it_is_erased() -> None:
    whole, said = Selection(result_id=7), Selection(result_id=7, transcripts_only=True)
    with duckdb.connect() as con:
        con.execute(f"create schema cekura; create table cekura._erased ({column_list(ERASED)})")
        for ids, selection in (({7}, whole), ({7, 8}, whole), ({7}, said), ({7}, said)):
            statements = list(erase.remember(ids, selection))
            assert len(statements) == 2, "each is a commit of its own"
            for statement in statements:
                con.execute(statement)
        noted = con.execute("select id, transcripts_only from cekura._erased order by all").fetchall()

    assert noted == [(7, False), (7, True), (8, False)]
    assert list(erase.remember(set(), whole)) == []


@pytest.mark.long
def test_what_the_warehouse_does_not_hold_is_not_called_erased(account: Account) -> None:
    held, gone = max(account.world.results), min(account.world.results)
    account.run("erase", "--result", str(gone))

    for choice, says in (
        (
            ["--result", "999999"],
            "does not hold result 999999. Its id is noted, so that no later sync stores it; --undo takes that back.",
        ),
        (["--result", "999999"], "does not hold result 999999."),
        (["--result", str(gone)], f"does not hold result {gone}."),
        (["--result", "999998", "--transcripts-only"], "no later sync stores what was said in it."),
        (["--agent", "77"], "holds none of agent 77."),
        (["--before", "2001-01-01", "--transcripts-only"], "holds none that were created before 2001-01-01."),
    ):
        ran = account.run("erase", *choice)

        what = "What was said is erased in" if "--transcripts-only" in choice else "Erased"
        assert (ran.code, f"{what} 0 results: " in ran.err, says in ran.err) == (0, True, True), ran.err
    assert account.query("select id from cekura._erased where id = 999999") == [(999999,)]
    said = account.run("erase", "--result", str(held), "--transcripts-only").err
    assert "What was said is erased in 1 result." in said
    assert "Erased 1 result." in account.run("erase", "--result", str(held)).err


def test_an_erasure_that_is_undone_lets_the_next_full_sync_store_the_result_again(account: Account) -> None:
    erased, of_it = max(account.world.results), "select count(*) from analytics.results where result_id = "
    whole = account.query("from analytics.runs order by all")
    account.run("erase", "--result", str(erased))
    assert account.sync("--full", *OPTIONS).code == 0
    assert account.query(f"{of_it}{erased}") == [(0,)]

    undone = account.run("erase", "--result-id", str(erased), "--undo")

    assert (undone.code, f"Result {erased} is no longer kept away" in undone.err) == (0, True), undone.err
    assert account.sync("--full", *OPTIONS).code == 0
    assert account.query(f"{of_it}{erased}") == [(1,)]
    assert account.query("from analytics.runs order by all") == whole
    again = account.run("erase", "--result", str(erased), "--undo")
    assert (again.code, "is not kept away, so there is nothing to undo" in again.err) == (0, True), again.err


def test_one_choice_is_needed_and_only_that_of_a_result_can_be_undone(account: Account) -> None:
    for choices in (
        "",
        "--result 1 --agent 2",
        "--undo",
        "--agent 2 --undo",
        "--result 1 --transcripts-only --undo",
    ):
        assert account.run("erase", *choices.split()).code == 2


@pytest.mark.long
@pytest.mark.parametrize("later", [OPTIONS, *rare(("--full",))])
def test_what_was_said_goes_once_it_is_older_than_it_is_kept_and_comes_back_when_it_is_kept_for_longer(
    account: Account, later: tuple[str, ...]
) -> None:
    old = old_ones(account)
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
    assert account.sync(*OPTIONS, "--keep-transcripts", "90d").code == 0
    assert old <= ids_of(account, "transcript_turns")


@pytest.mark.long
def test_test_profiles_go_once_they_are_older_than_what_was_said_is_kept(
    new_synced: Callable[..., Account],
) -> None:
    read = ("--details", "--profiles")
    account = new_synced(*read, arrange=plant_into_old_ones, **KIND)
    assert in_files(account, "Planted-name")

    for _ in range(2):
        assert account.sync(*read, "--keep-transcripts", "30d").code == 0

    assert not in_files(account, "Planted-name")


def test_to_keep_what_was_said_for_no_time_is_refused(account: Account) -> None:
    ran = account.sync("--transcripts", "--keep-transcripts", "0")

    assert ran.code == 2
    assert "--keep-transcripts 0 keeps nothing" in ran.err


@pytest.mark.long
def test_in_postgresql_what_is_erased_stays_away_and_what_was_said_goes_once_it_is_older_than_it_is_kept(
    shared: Shared,
) -> None:
    plant_into_old_ones(shared.account)
    old = old_ones(shared.account)
    query = "select distinct result_id from cekura.transcript_turns"
    assert shared.sync("--full", *OPTIONS).code == 0
    said = {id_ for (id_,) in shared.query(query)}
    erased = max(said)
    assert old < said

    assert (
        "Erased 0 results: the warehouse does not hold result 999999."
        in shared.run("erase", "--result", "999999").err
    )
    assert "no longer kept away" in shared.run("erase", "--result", "999999", "--undo").err
    assert "nothing to undo" in shared.run("erase", "--result", "999999", "--undo").err
    assert "Erased 1 result." in shared.run("erase", "--result", str(erased)).err
    shared.account.world.edit(erased, name="edited")
    for _ in range(2):
        synced = shared.sync("--full", *OPTIONS, "--keep-transcripts", "30d")
        assert synced.code == 0, synced.err

    assert synced.json["changed"] is False
    kept = said - old - {erased}
    assert {id_ for (id_,) in shared.query(query)} == kept
    with_them = "select count(*) from cekura.details_read where with_transcripts"
    assert shared.query(with_them) == [(len(kept),)]
    for table, column in (("results", "id"), ("runs", "result_id")):
        assert shared.query(f"select count(*) from cekura.{table} where {column} = {erased}") == [(0,)]
