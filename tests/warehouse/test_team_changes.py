"""`--changes`: the file as people and spreadsheets write it, what stays of it in the warehouse, and what it costs."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cekura_sync.warehouse import team_changes
from support.harness import Account, run

HEADER = "agent_id,at,note\n"
STORED = "select line, agent_id, cast(changed_at as varchar), note from cekura.changes order by line"


@pytest.fixture
def account(synced_account: Account) -> Account:
    """250 results, synced without a file of changes."""
    return synced_account


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "changes.csv"


def test_changes_are_loaded_with_the_sync_and_kept_by_one_without_the_option(
    account: Account, file: Path
) -> None:
    """Bad lines do not stop it, and an unchanged file is no change."""
    file.write_text(
        f'{HEADER}4101,2026-03-10T14:30:00+01:00,"shorter greeting, new voice"\n4101,yesterday,x\n,2026-03-11,\n'
    )
    loaded = [
        (2, 4101, "2026-03-10 13:30:00+00", "shorter greeting, new voice"),
        (4, None, "2026-03-11 00:00:00+00", None),
    ]

    ran = account.sync("--changes", str(file))

    assert (ran.code, ran.json["changed"]) == (0, True)
    assert f"Warning: {file}, line 3: at 'yesterday' is not a time" in ran.err
    assert account.query(STORED) == loaded
    before = account.warehouse.read_bytes()
    assert account.sync(CEKURA_CHANGES=str(file)).json["changed"] is False
    assert account.warehouse.read_bytes() == before

    account.world.insert()
    assert account.sync().json["inserted"] == 1
    assert account.query(STORED) == loaded


def test_without_a_file_there_is_an_empty_table_so_that_the_view_binds(synced_account: Account) -> None:

    assert synced_account.query(STORED) == []
    assert synced_account.query("select * from analytics.agent_change_effect") == []


def test_a_dry_run_says_that_the_file_changed_and_leaves_it_at_that(
    synced_account: Account, file: Path
) -> None:
    file.write_text(HEADER + "4101,2026-03-10,one\n")

    assert synced_account.sync("--changes", str(file), "--dry-run").json["changed"] is True
    assert synced_account.query(STORED) == []


@pytest.mark.long
def test_a_warehouse_of_an_earlier_version_gets_what_the_views_need(account: Account, file: Path) -> None:
    """From the command `build`, which loads the file too."""
    file.write_text(HEADER + "4101,2026-03-10,one\nx,2026-03-10,two\n")
    for path in (account.warehouse, account.home / "base.duckdb"):
        with duckdb.connect(str(path)) as con:
            for view in ("agent_change_effect", "agent_version_pass_rate"):
                con.execute(f"drop view analytics.{view}")
            con.execute("drop table cekura.changes")
            con.execute("alter table cekura.results drop column agent_version")

    built = account.run("build", "--changes", str(file))

    assert built.code == 0
    assert f"Warning: {file}, line 3: agent_id 'x' is not a whole number" in built.err
    assert account.query(STORED) == [(2, 4101, "2026-03-10 00:00:00+00", "one")]
    assert account.query("select count(*) from analytics.agent_version_pass_rate") == [(0,)]

    account.world.insert(agent_version="v2")
    assert account.sync().json["inserted"] == 1
    assert account.query("select agent_version from analytics.agent_version_pass_rate") == [("v2",)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("4101,last Tuesday,x", "at 'last Tuesday' is not a time"),
        ("4101,03/10/2026,x", "at '03/10/2026' is not a time"),
        ("4101,0001-01-01T00:00:00+14:00,x", "at '0001-01-01T00:00:00+14:00' is not a time"),
        ("4101,9999-12-31T23:59:59-14:00,x", "is not a time"),
        ("4101,,x", "at '' is not a time"),
        ("4101", "at '' is not a time"),
        ("agent 4101,2026-03-10,x", "agent_id 'agent 4101' is not a whole number"),
        ("-1,2026-03-10,x", "agent_id '-1' is not a whole number"),
        ("99999999999999999999,2026-03-10,x", "is not a whole number"),
        ("4101,2026-03-10,x,y", "it has more cells than the first line"),
        ('4101,2026-03-10,"x"y', "expected after"),
        ('4101,2026-03-10,"x', "expected after"),
        ("=cmd|' /C calc'!A0,2026-03-10,x", "is not a whole number"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_the_others_are_taken(file: Path, line: str, why: str) -> None:
    before = f'{HEADER}4101,2026-03-10,"over\ntwo lines"\n\n4102,2026-03-11,fine\n'
    file.write_text(f'{before}{line}\n4103,2026-03-12,fine too\n4104,2026-03-13,"in ""quotes"""\n')

    noted = team_changes.read(file)

    (flaw,) = noted.flaws
    assert flaw.startswith(f"{file}, line 6: ")
    assert why in flaw
    assert [change.line for change in noted.changes] == [2, 5, 7, 8]


def test_a_quotation_mark_that_is_never_closed_takes_no_other_line_along(file: Path) -> None:
    file.write_text(f'{HEADER}4101,2026-03-10,"x\n4102,2026-03-11,fine\n')

    noted = team_changes.read(file)

    assert noted.flaws == [f"{file}, line 2: unexpected end of data; the line is left out."]
    assert [change.line for change in noted.changes] == [3]


def test_of_many_bad_lines_the_first_are_named_and_the_others_counted(file: Path) -> None:
    file.write_text(HEADER + "4101,yesterday,x\n" * 1000)

    flaws = team_changes.read(file).flaws

    assert len(flaws) == 21
    assert flaws[-1] == f"{file}: 980 more lines are left out."


@pytest.mark.parametrize(
    "content",
    [
        "agent_id,at,note\n4101,2026-03-10 14:30,Café\n",
        "agent_id,at,note\r\n4101,2026-03-10T14:30Z,Café\r\n",
        "agent_id,at,note\r4101,2026-03-10T14:30,Café",
        '"AGENT_ID";"At";"Note"\n"4101"; "2026-03-10 16:30+02:00"; "Café"\n',
        "note\towner\tat\tagent_id\nCafé\tMia\t20260310T143000\t4101\n",
        '\n\nagent_id, at, note\n4101, 2026-03-10 14:30, "Café"\n',
    ],
    ids=["plain", "windows", "old mac", "semicolons", "tabs, another order, one more", "spaces"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_however_a_spreadsheet_saves_it_it_says_the_same(file: Path, content: str, encoding: str) -> None:
    file.write_bytes(content.encode(encoding))

    noted = team_changes.read(file)

    assert noted.flaws == []
    assert [change[1:] for change in noted.changes] == [(4101, 1773153000000000, "Café")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "is empty: write the names of its columns on the first line: agent_id,at,note."),
        (b"4101,2026-03-10,x\n", "begins with the line '4101, 2026-03-10, x': write the names"),
        (b"agent_id,at,at\n", "begins with the line 'agent_id, at, at': write the names"),
        (bytes(range(256)) * 8, "write the names of its columns on the first line"),
        (b"agent_id,at\n" + b"\n" * 10_000_000, "is larger than 10 MB"),
    ],
    ids=["missing", "empty", "no header", "twice the same", "binary", "large"],
)
def test_what_is_no_file_of_changes_is_a_usage_error_and_changes_nothing(
    quick: Account, file: Path, content: bytes | None, why: str
) -> None:
    if content is not None:
        file.write_bytes(content)

    ran = quick.sync("--changes", str(file))

    assert (ran.code, ran.json["exit_code"]) == (2, 2)
    assert why in ran.json["error"]
    assert quick.sandbox.requests == []
    assert not quick.warehouse.exists()


def test_a_directory_or_an_empty_name_is_a_usage_error(synced_account: Account, tmp_path: Path) -> None:
    for name in (str(tmp_path), ""):
        assert synced_account.sync("--changes", name).code == 2
        assert run("build", "--changes", name, env=synced_account.env).code == 2


def test_the_effect_of_a_change_is_in_the_warehouse_after_the_sync(account: Account, file: Path) -> None:
    """The file is published though no result is new."""
    agent = account.world.agents[0].id
    ((middle,),) = account.query(
        f"select cast(quantile_disc(created_at, 0.5) as varchar) from analytics.results where agent_id = {agent}"
    )
    file.write_text(f"{HEADER}{agent},{middle},Prompt 6\n")
    account.sync("--changes", str(file))
    file.write_text(f"{HEADER}{agent},{middle},Prompt 7\n777,2026-03-10,nobody\n")

    ran = account.run("sync", "--changes", str(file))

    assert "no result changed" in ran.err
    rows = account.query(
        "select agent_id, agent_name, note, before_results > 0, after_results > 0, verdict is not null from analytics.agent_change_effect order by line"
    )

    assert rows == [
        (agent, account.world.agents[0].name, "Prompt 7", True, True, True),
        (777, None, "nobody", False, False, False),
    ]


def test_versions_are_compared_where_the_api_sends_them(new_synced: Callable[..., Account]) -> None:
    account = new_synced(results=60, runs_per_result=1, versions=3, agents=2)

    rows = account.query(
        "select agent_version, previous_version, results > 0 from analytics.agent_version_pass_rate order by agent_id, first_result_at"
    )

    assert rows == 2 * [("v1", None, True), ("v2", "v1", True), ("v3", "v2", True)]
