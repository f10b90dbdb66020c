"""`--models DIR`: the team's own views, built after ours; a broken one is named and stops nothing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import duckdb
import pytest

from cekura_sync.models.team import TeamModels
from cekura_sync.warehouse.file import WarehouseFile
from support.answers import ROOT
from support.harness import Account, NewAccount, Ran

WORST = """-- One row per agent that passes less than half of its runs. For the weekly meeting.
select
    agent_id, -- Cekura's id of the agent
    pass_rate, -- share of decided runs that passed
    wilson_low(passed_runs, decided_runs) as low -- lower bound of it
from analytics.agent_pass_rate
"""


@pytest.fixture
def account(new_synced: Callable[..., Account]) -> Account:
    return new_synced(results=40, runs_per_result=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "models")


def filled(folder: Path) -> Path:
    (folder / "checks").mkdir(parents=True)
    (folder / "worst.sql").write_text(WORST)
    (folder / "a_count.sql").write_text("select count(*) as n from team.worst")
    return folder


def test_the_teams_views_are_built_in_their_order_with_comments(account: Account, folder: Path) -> None:
    ran = account.sync("--models", str(folder))

    assert (ran.code, ran.err) == (0, "")
    agents = account.query("select count(*) from analytics.agent_pass_rate")
    assert account.query("select n from team.a_count") == agents
    assert account.query("select count(*) from team.worst where low <= pass_rate") == agents
    told = account.run("views", "worst")
    assert told.out.startswith("team.worst: One row per agent that passes less than half of its runs.")
    assert "share of decided runs that passed" in told.out
    assert "team.worst" in account.run("views").out
    # An export without names needs none of the team's views, of which one may fail.
    for names, shown in ((), False), (("team.worst",), True):
        exported = account.run("export", *names, "--to", str(folder.parent / "out"))
        assert (exported.code, "worst" in exported.err) == (0, shown), exported.err


@pytest.mark.long
def test_the_teams_views_stay_when_something_is_erased(account: Account, folder: Path) -> None:
    (folder / "z_first.sql").write_text("select 1 as x")
    account.sync("--models", str(folder))
    # From now on a view rests on one that was made after it.
    (folder / "z_first.sql").write_text("select agent_id from team.worst")
    (folder / "a_count.sql").write_text("select count(*) as n from team.z_first")
    account.sync("--models", str(folder))
    (folder / "worst.sql").write_text(WORST.replace("less than half", "few"))
    account.sync("--models", str(folder))
    told, agents = account.run("views", "worst").out, account.query("select n from team.a_count")

    assert account.run("erase", "--result", str(max(account.world.results))).code == 0

    assert account.run("views", "worst").out == told
    assert account.query("select n from team.a_count") == agents
    assert account.query("select table_name from duckdb_tables() where table_name = '_team_views'") == []
    assert not account.sync("--models", str(folder)).json["changed"]


@pytest.mark.long
def test_a_view_of_the_team_that_cannot_be_made_again_comes_with_the_next_models(
    account: Account, folder: Path, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("scenario,price\n1,2\n")
    (folder / "a_count.sql").write_text(f"select count(*) as n from read_csv('{prices}')")
    account.sync("--models", str(folder))
    moved = prices.rename(tmp_path / "moved.csv")
    account.run("erase", "--result", str(max(account.world.results)))

    moved.rename(prices)
    account.sync("--models", str(folder))

    assert account.query("select n from team.a_count") == [(1,)]


def test_a_view_that_fails_when_it_is_read_is_named_by_an_export(
    account: Account, folder: Path, tmp_path: Path
) -> None:
    """Whether it fails at once or late."""
    for row in (0, 150_000):
        text = f"case when range = {row} then 'x' else '1' end"
        (folder / f"boom_{row}.sql").write_text(f"select cast({text} as integer) as n from range(200000)")
    assert account.sync("--models", str(folder)).code == 0

    for row in (0, 150_000):
        ran = account.run("export", "team.worst", f"team.boom_{row}", "--to", str(tmp_path / "out"))

        assert (ran.code, f"team.boom_{row} cannot be read: Conversion Error" in ran.err) == (5, True), (
            ran.err
        )
        assert not (tmp_path / "out").exists()


BROKEN = {
    "syntax.sql": "selekt 1",
    "binding.sql": "select nothing from analytics.results",
    "two.sql": "select 1 as a; drop schema cekura cascade",
    "write.sql": "drop table cekura.results",
    "copy.sql": "copy (select 1) to 'out.csv'",
    "empty.sql": "-- a thought",
    "odd name.sql": "select 1 as a",
    "circle_a.sql": "select * from team.circle_b",
    "circle_b.sql": "select * from team.circle_a",
    "after_broken.sql": "select * from team.syntax",
    "wrong_call.sql": "select wilson_low(1) as a from analytics.results",
}


SPELLED = ("Team.Z_base", '"team"."z_base"', "team . z_base", "team.\nZ_BASE")
CHECKS = {
    "holds.sql": "select 1 from team.worst where pass_rate > 1",
    "fails.sql": "select agent_id from team.worst where pass_rate <= 1",
    "broken.sql": "select nothing from team.worst",
    # A list cannot overflow to the disk.
    "hungry.sql": "select 1 from (select list(md5(cast(range as varchar))) as all_ from range(2_000_000)) as one where len(all_) = 0",
}


@dataclass(frozen=True)
class Crowd:
    """One sync of a folder with a model and a check of each kind."""

    account: Account
    folder: Path
    ran: Ran


@pytest.fixture(scope="module")
def crowd(new_account_of_many: NewAccount, tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    folder = filled(tmp_path_factory.mktemp("crowd") / "models")
    models = BROKEN | {"z_base.sql": "select 1 as n"}
    models |= {f"above_{number}.sql": f"select n from {base}" for number, base in enumerate(SPELLED)}
    models |= {f"checks/{name}": sql for name, sql in CHECKS.items()}
    for name, sql in models.items():
        (folder / name).write_text(sql)
    (folder / os.fsdecode(b"Z\xfcrich.sql")).write_text("select 1 as a")
    (folder / "coding.sql").write_bytes("select 'Café' as a".encode("latin-1"))
    account = new_account_of_many(results=40, runs_per_result=2)
    return Crowd(account, folder, account.sync("--models", str(folder)))


@pytest.mark.long
def test_a_view_comes_after_another_however_that_is_spelled(crowd: Crowd) -> None:
    views = crowd.account.query("select count(*) from duckdb_views() where view_name like 'above%'")

    assert (crowd.ran.code, views) == (0, [(len(SPELLED),)])


def test_a_broken_model_is_named_and_all_others_are_built(crowd: Crowd) -> None:
    account, folder, err = crowd.account, crowd.folder, crowd.ran.err

    assert crowd.ran.code == 0, err
    account.assert_equals_api()
    for name in (*BROKEN, "coding.sql"):
        assert err.count(f"Your model {folder / name} is left out: ") == 1, err
    views = account.query("select view_name from duckdb_views() where schema_name = 'team'")
    assert {*views} == {
        ("a_count",),
        ("worst",),
        ("z_base",),
        *((f"above_{n}",) for n in range(len(SPELLED))),
    }


def test_the_teams_checks_are_asked_and_stop_nothing(crowd: Crowd) -> None:
    folder, err = crowd.folder, crowd.ran.err

    assert crowd.ran.code == 0, err
    assert f"Your check {folder}/checks/fails.sql finds " in err
    assert f"Your model {folder}/checks/broken.sql is left out: " in err
    assert "holds.sql" not in err
    assert "hungry.sql" not in err, "it needs more memory than a sync begins with"


def test_a_change_of_a_model_is_published_and_no_change_is_none(account: Account, folder: Path) -> None:
    models = {"CEKURA_MODELS": str(folder)}
    assert account.sync(**models).json["changed"] is True
    assert account.sync(**models).json["changed"] is False
    assert account.sync().json["changed"] is False

    (folder / "a_count.sql").write_text("select 7 as n")
    assert account.sync(**models).json["changed"] is True
    assert account.query("select n from team.a_count") == [(7,)]

    (folder / "worst.sql").unlink()
    (folder / "a_count.sql").write_text("selekt 8")
    ran = account.run("build", **models)
    assert (ran.code, "a_count.sql is left out" in ran.err) == (0, True), ran.err
    views = account.query("select view_name from duckdb_views() where schema_name = 'team'")
    assert views == [("a_count",)]
    assert account.query("select n from team.a_count") == [(7,)]


class TooLittleMemoryAtFirst(TeamModels):
    """Memory runs out after they are built, for the first time that they are."""

    ran_out = False

    def build(self, con: duckdb.DuckDBPyConnection) -> None:
        super().build(con)
        if not self.ran_out:
            self.ran_out = True
            raise MemoryError


def test_a_build_that_is_tried_again_with_more_memory_names_each_flaw_and_each_view_once(
    account: Account, folder: Path
) -> None:
    (folder / "syntax.sql").write_text("selekt 1")
    (folder / "Worst.sql").write_text("select 1 as a")
    models = TooLittleMemoryAtFirst(folder)

    names = WarehouseFile(account.warehouse, models).rebuild(None, lambda: None)

    assert models.ran_out
    assert len(names) == len({*names})
    assert [re.findall(r"\w+\.sql", flaw)[0] for flaw in models.flaws] == ["worst.sql", "syntax.sql"]


def test_a_folder_that_is_not_there_exits_2_before_the_first_request(
    account: Account, tmp_path: Path
) -> None:
    ran = account.sync("--models", str(tmp_path / "missing"))

    assert (ran.code, "is not a directory" in ran.err) == (2, True), ran.err
    assert account.sandbox.requests == []


def test_a_pipe_and_a_name_that_differs_by_case_are_left_out(account: Account, folder: Path) -> None:
    pipe = folder / "pipe.sql"
    os.mkfifo(pipe)
    # Whoever reads from it gets something, and does not wait for ever.
    writer = Thread(target=pipe.write_text, args=("select 1 as one",), daemon=True)
    writer.start()
    (folder / "Worst.sql").write_text("select 2 as two")

    ran = account.sync("--models", str(folder))

    assert ran.code == 0
    assert f"Your model {pipe} is left out: it is not a file." in ran.err
    assert (
        f"Your model {folder / 'worst.sql'} is left out: Worst.sql has the same name but for case." in ran.err
    )
    assert account.query("select two from team.worst") == [(2,)]
    assert pipe.read_text() == "select 1 as one", "somebody has read from the pipe"
    writer.join()


def test_the_documented_views_of_tags_have_a_row_per_agent_and_tag(account: Account, tmp_path: Path) -> None:
    tags = {id_: ["odd", "it's -- odd"][: id_ % 3] for id_ in scenarios(account)}
    write_documented_views(tmp_path / "models", tags)

    ran = account.sync("--models", str(tmp_path / "models"))

    assert (ran.code, ran.err) == (0, "")
    runs = account.query(
        "select agent_id, scenario_id, passed from analytics.runs where result_status_group = 'completed'"
    )
    expected = {
        (agent, tag): [passed for each, id_, passed in runs if each == agent and tag in tags[id_]]
        for agent, id_, _ in runs
        for tag in tags[id_]
    }
    assert {
        (agent, tag): (decided, passed)
        for agent, tag, decided, passed in account.query(
            "select agent_id, tag, decided_runs, passed_runs from team.agent_tag_pass_rate"
        )
    } == {key: (len(all_) - all_.count(None), all_.count(True)) for key, all_ in expected.items()}
    assert len({tag for _, tag in expected}) == 2
    assert account.query(
        "select count(*) from team.agent_tag_pass_rate where not pass_rate between pass_rate_low and pass_rate_high"
    ) == [(0,)]


def test_the_documented_views_of_tags_are_empty_if_no_scenario_has_a_tag(
    account: Account, tmp_path: Path
) -> None:
    write_documented_views(tmp_path / "models", {id_: [] for id_ in scenarios(account)})

    ran = account.sync("--models", str(tmp_path / "models"))

    assert (ran.code, ran.err) == (0, "")
    for view in ("scenario_tags", "agent_tag_pass_rate"):
        assert account.query(f"select count(*) from team.{view}") == [(0,)]


def write_documented_views(models: Path, tags: dict[int, list[str]]) -> None:
    """As docs/team.md says, from a list of scenarios with these tags."""
    document = (ROOT / "docs" / "team.md").read_text().partition("### Pass rates by tag")[2]
    script, sql = (re.findall(rf"```{kind}\n(.*?)```", document, re.DOTALL)[0] for kind in ("python", "sql"))
    listed = json.dumps([{"id": id_, "name": "…", "tags": each or None} for id_, each in tags.items()])
    made = subprocess.run(
        [sys.executable, "-c", script], input=listed, capture_output=True, text=True, check=True
    )
    models.mkdir()
    (models / "scenario_tags.sql").write_text(made.stdout)
    (models / "agent_tag_pass_rate.sql").write_text(sql)


def scenarios(account: Account) -> list[int]:
    return [id_ for (id_,) in account.query("select distinct scenario_id from analytics.runs")]
