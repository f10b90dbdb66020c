"""The command line: help, usage, precedence of settings, what goes to stdout, and one exit code per kind of failure."""

import csv
import io
import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import click
import duckdb
import pytest

from cekura_sync import cli, errors, settings
from cekura_sync.console import exits
from cekura_sync.sandbox import Fault
from cekura_sync.settings import variables, vendor
from support.harness import PATIENCE, Account, run

COMMANDS = sorted(cli.cli.commands)


# -- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help(command: str, option: str) -> None:
    ran = run(command, option, env={})

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: cekura-sync {command}")
    for parameter in cli.cli.commands[command].params:
        if isinstance(parameter, click.Option) and "--help" not in parameter.opts:
            assert parameter.help, f"{parameter.name} is not explained"


def test_the_group_lists_every_command_with_a_sentence() -> None:
    ran = run("--help", env={})

    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w.*\.$", ran.out, re.MULTILINE), command
    assert "..." not in ran.out.partition("Commands:")[2]


def test_a_variable_is_called_the_same_in_every_help() -> None:
    helps = [run(command, "--help", env={}).out for command in COMMANDS]

    assert "[env var:" in helps[COMMANDS.index("sync")]
    assert not any("[env:" in text for text in helps)


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"cekura-sync, version \d+\.\d+\.\d+\S*\n", run("--version", env={}).out)


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"], ["status"]])
def test_help_and_status_import_neither_dlt_nor_duckdb(tmp_path: Path, arguments: list[str]) -> None:
    program = (
        "import sys; from cekura_sync import cli; cli.run(sys.argv[1:]);"
        "print(sorted({'dlt', 'duckdb', 'pyarrow', 'httpx'} & sys.modules.keys()), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        timeout=PATIENCE,
    )

    assert ran.stderr.splitlines()[-1] == "[]"


def test_every_error_of_the_tree_has_its_exit_code() -> None:
    def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
        yield kind
        for child in kind.__subclasses__():
            yield from leaves(child)

    expected = {
        "SettingsError": 2,
        "KeyRefused": 3,
        "ApiUnavailable": 4,
        "RateLimited": 4,
        "UnbelievableAnswer": 5,
        "UnreadableAnswer": 5,
        "ModelError": 5,
        "ListingUnverified": 6,
        "MassDeleteRefused": 7,
        "WarehouseBusy": 8,
        "WarehouseError": 9,
    }
    found = {
        kind.__name__: int(exits.exit_code_for(kind.__new__(kind)))
        for kind in leaves(errors.CekuraSyncError)
        if kind is not errors.CekuraSyncError
    }
    assert found == expected
    assert exits.exit_code_for(RuntimeError()) == 1


# -- usage ------------------------------------------------------------------------------------------------------------

USAGE = [
    pytest.param(["no-such-command"], "No such command", id="an unknown command"),
    pytest.param(["sync", "--no-such-option"], "No such option", id="an unknown option"),
    pytest.param(["sync", "surplus"], "unexpected extra argument", id="a surplus argument"),
    pytest.param(["sync", "--page-size", "0"], "range", id="a page size of nothing"),
    pytest.param(["sync", "--page-size", "many"], "not a valid integer.", id="a page size in words"),
    pytest.param(["sync", "--concurrency", "0"], "range", id="no request in flight"),
    pytest.param(["sync", "--agent-id", "-1"], "range", id="a negative agent"),
    pytest.param(
        ["sync", "--agent-id", "1", "--agent-id", "2"], "--agent-id is given 2 times", id="two agents at once"
    ),
    pytest.param(["sync", "--agent-id", "Northwind"], "not a valid integer.", id="an agent by name"),
    pytest.param(["sync", "--api-version", "v3"], "choose v1 or v2", id="an unknown version"),
    pytest.param(["sync", "--scenarios", "1,,2"], "not a list of scenario ids", id="scenarios with a gap"),
    pytest.param(["sync", "--search", ""], "--search is empty", id="a search for nothing"),
    pytest.param(
        ["schedule", "cron", "--search", " "], "--search is empty", id="a scheduled search for nothing"
    ),
    pytest.param(["schedule"], "Choose from: cron, systemd, docker,", id="a schedule for nothing"),
    pytest.param(["sync", "--lookback", "1 day"], "not a duration", id="a lookback in words"),
    pytest.param(["sync", "--full-every", "-1h"], "not a duration", id="a negative duration"),
    pytest.param(["sync", "--timeout", "1.5h"], "not a duration", id="a duration with a fraction"),
    pytest.param(["sync", "--timeout", "0"], "--timeout 0 leaves no time", id="no time at all"),
    pytest.param(["sync", "--timeout", "0s"], "--timeout 0s leaves no time", id="no seconds at all"),
    pytest.param(["sync", "--lookback", "99999999d"], "too long", id="a duration beyond all years"),
    pytest.param(["sync", "--warehouse", ""], "not a file name", id="a warehouse without name"),
    pytest.param(["sync", "--api-url"], "requires an argument", id="an option without its value"),
    pytest.param(["query", "-f", "missing.sql"], "No such file", id="a query in a file that is not there"),
    pytest.param(["query", "--for-spreadsheet", "select 1"], "--csv", id="a table for a spreadsheet"),
    pytest.param(["query", "--json", "--csv", "select 1"], "not both", id="two formats at once"),
    pytest.param(["query", "selekt 1"], "cannot be run", id="SQL that does not parse"),
    pytest.param(["query", "select x from nowhere"], "cannot be run", id="SQL about nothing that exists"),
    pytest.param(["query", ""], "There is no query", id="an empty query"),
    pytest.param(["query", "-- a thought;"], "There is no query", id="a query that is all comment"),
    pytest.param(["query", "select 1; select 2"], "There are 2 queries", id="two queries at once"),
    pytest.param(["query", "--jsn", "select 1"], "--json", id="an option that is misspelt"),
    pytest.param(["status", "--max-age", "old"], "not a duration", id="an age in words"),
    pytest.param(["sandbox", "--port", "70000"], "range", id="a port beyond all ports"),
    pytest.param(["sandbox", "--fault", "earthquake"], "", id="an unknown fault"),
    pytest.param(["demo", "--results", "0"], "range", id="a demo of nothing"),
]


@pytest.mark.parametrize(("arguments", "says"), USAGE)
def test_usage_errors_exit_2_and_say_what_is_wrong(synced: Account, arguments: list[str], says: str) -> None:
    before = len(synced.sandbox.requests)

    ran = synced.run(*arguments)

    assert ran.code == 2, ran.err
    assert says in ran.err
    assert ran.out == "" or ran.json["exit_code"] == 2
    assert "bug" not in ran.err
    assert len(synced.sandbox.requests) == before


def test_no_arguments_show_the_help_and_exit_2() -> None:
    ran = run(env={})

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == run("--help", env={}).out


def test_no_key_exits_2_and_names_the_ways_to_give_one(quick: Account) -> None:
    ran = run("sync", "--json", env={"CEKURA_WAREHOUSE": str(quick.warehouse)})

    assert (ran.code, ran.json["exit_code"]) == (2, 2)
    assert "CEKURA_API_KEY" in ran.err
    assert "config.toml" in ran.err
    assert "cekura-sync demo" in ran.err


# -- output -----------------------------------------------------------------------------------------------------------


def test_a_sync_prints_one_object_of_the_promised_form(settled: Account) -> None:
    ran = settled.run("sync", "--json")

    assert list(ran.json) == [
        "outcome", "mode", "scope", "requests", "retries", "pages", "rows_read", "inserted", "updated", "unchanged",
        "deleted", "restored", "rejected", "in_flight", "results", "watermark", "seconds", "warehouse", "changed",
    ]  # fmt: skip
    assert ran.out.count("\n") == 1
    assert ran.json["outcome"] == "ok"
    assert ran.json["warehouse"] == str(settled.warehouse)
    assert datetime.fromisoformat(ran.json["watermark"]).tzinfo is not None


def test_a_failure_prints_one_object_of_the_promised_form(quick: Account) -> None:
    quick.sandbox.faults.append(Fault("401"))

    ran = quick.run("sync", "--json")

    assert ran.code == 3
    assert ran.json == {"outcome": "failed", "exit_code": 3, "error": ran.json["error"]}
    assert ran.out.count("\n") == 1
    assert ran.err == f"cekura-sync: {ran.json['error']}\n"
    assert re.fullmatch(r"[A-Z][^\n]+\.", ran.json["error"])


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--page-size", "0"], ["--api-version", "v3"]])
def test_usage_errors_with_json_print_the_object_too(quick: Account, arguments: list[str]) -> None:
    ran = quick.run("sync", "--json", *arguments)

    assert (ran.code, ran.json["outcome"], ran.json["exit_code"]) == (2, "failed", 2)


def test_without_json_stdout_stays_empty_and_stderr_has_one_sentence(settled: Account) -> None:
    ran = settled.run("sync")

    assert (ran.code, ran.out) == (0, "")
    assert ran.err.count("\n") == 1
    assert "20 results in the warehouse" in ran.err
    assert settled.run("sync", "-q").err == ""


def test_a_rejected_row_is_warned_about_even_when_quiet(settled: Account) -> None:
    settled.world.edit(max(settled.world.results), total_runs_count="many")

    ran = settled.run("sync", "-q")

    assert ran.code == 0
    assert ran.err == "Warning: 1 rows could not be stored: see the table cekura.rejected_rows.\n"


def test_the_installed_command_keeps_stdout_for_data(settled: Account) -> None:
    process = settled.start()
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert json.loads(out)["results"] == 20
    assert err == ""


def test_a_reader_of_the_pipe_that_has_gone_is_no_bug(synced: Account) -> None:
    command = f"{sys.executable} -m cekura_sync query --csv 'select range from range(200000)' | head -n 1"
    ran = subprocess.run(
        ["/bin/sh", "-c", command],
        env=os.environ | synced.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ran.stdout == "range\n"
    assert "bug" not in ran.stderr


# -- status -----------------------------------------------------------------------------------------------------------


def test_status_tells_the_age_of_the_last_completed_sync(synced: Account) -> None:
    ran = synced.run("status", "--json", "--max-age", "1h")

    assert ran.code == 0
    assert set(ran.json) == {"warehouse", "last_sync", "age_seconds", "last", "scopes"}
    assert 0 <= ran.json["age_seconds"] < 600
    assert ran.json["last"]["results"] == 40
    assert "40 results" in synced.run("status").out


def test_status_exits_10_when_the_last_sync_is_older(synced: Account) -> None:
    for arguments in (["--max-age", "0"], ["--json", "--max-age", "0"]):
        ran = synced.run("status", *arguments)
        assert ran.code == 10
        assert ran.out
        assert "The last sync of all results is older than --max-age 0: look at the log" in ran.err


def test_status_of_a_warehouse_that_never_was_synced_is_older_than_any_age(tmp_path: Path) -> None:
    nowhere = ["status", "--warehouse", str(tmp_path / "none.duckdb")]

    assert run(*nowhere, env={}).code == 0
    ran = run(*nowhere, "--json", "--max-age", "9999d", env={})
    assert ran.code == 10
    assert (ran.json["last_sync"], ran.json["age_seconds"]) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_status_of_a_file_of_another_program_is_no_advice_to_sync_into_it(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "other.duckdb")).close()

    ran = run("status", "--warehouse", str(tmp_path / "other.duckdb"), env={})

    assert (ran.code, "but not a warehouse of cekura-sync" in ran.err) == (9, True), ran.err


def test_a_failed_sync_does_not_make_the_status_younger(settled: Account) -> None:
    before = settled.run("status", "--json").json["last_sync"]
    settled.sandbox.faults.append(Fault("401"))
    settled.sync()

    assert settled.run("status", "--json").json["last_sync"] == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"finished_at": 7}',
        '{"finished_at": "soon", "mode": "full", "results": 1, "in_flight": 0}',
        '{"finished_at": "2026-01-01T00:00:00", "mode": "full", "results": 1, "in_flight": 0}',
        '{"finished_at": "2026-01-01T00:00:00+00:00", "mode": "full", "results": "many", "in_flight": 0}',
        '{"finished_at": "2026-01-01T00:00:00+00:00", "mode": null, "results": 1, "in_flight": 0}',
    ],
)
def test_a_record_that_no_sync_has_written_counts_as_absent(tmp_path: Path, content: str) -> None:
    home = tmp_path / "w.duckdb.d"
    home.mkdir()
    (home / "last.json").write_text(content)
    status = ["status", "--warehouse", str(tmp_path / "w.duckdb")]

    assert "No sync of" in run(*status, env={}).out
    ran = run(*status, "--json", "--max-age", "9999d", env={})
    assert (ran.code, ran.json["last"], ran.json["last_sync"]) == (10, None, None)


@pytest.mark.parametrize("command", [["status"], ["check"], ["build"], ["query", "select 1"], ["sync"]])
@pytest.mark.parametrize("place", ["a-file/w.duckdb", "n" * 300 + ".duckdb"])
def test_a_place_where_no_file_can_be_is_no_bug(quick: Account, command: list[str], place: str) -> None:
    folder = quick.warehouse.parent
    (folder / "a-file").write_text("in place of a directory")

    ran = quick.run(*command, "--warehouse", str(folder / place))

    assert ran.code == 9, ran.err
    assert re.fullmatch(r"cekura-sync: [^\n]*\n", ran.err)
    assert place[:6] in ran.err


@pytest.mark.parametrize("command", [["status"], ["query", "select 1"], ["sync"]])
def test_a_link_that_leads_back_to_itself_is_no_warehouse(quick: Account, command: list[str]) -> None:
    quick.warehouse.symlink_to(quick.warehouse.name)

    ran = quick.run(*command)

    assert (ran.code, "leads back to itself" in ran.err) == (2, True), ran.err


def test_a_filter_is_one_scope_however_it_is_spelled(quick: Account) -> None:
    scopes = [quick.sync("--dry-run", "--scenarios", ids).json["scope"] for ids in ("12,7", "7,012,7")]

    assert scopes == [{"scenarios": "7,12"}] * 2


def test_a_link_may_not_hide_a_name_that_duckdb_would_confuse(quick: Account) -> None:
    quick.warehouse.symlink_to("cekura.duckdb")

    ran = quick.run("sync")

    assert (ran.code, "may not be called 'cekura.duckdb'" in ran.err) == (2, True), ran.err


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_record_that_may_not_be_read_says_who_may(settled: Account) -> None:
    settled.home.chmod(0)
    try:
        ran = settled.run("status", "--max-age", "1h")
    finally:
        settled.home.chmod(0o700)

    assert (ran.code, "as the user who syncs" in ran.err) == (9, True)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_who_may_read_only_the_published_file_gets_a_report(settled: Account, tmp_path: Path) -> None:
    settled.home.chmod(0)
    try:
        ran = settled.run("report", "-o", str(tmp_path / "report.html"))
    finally:
        settled.home.chmod(0o700)

    assert ran.code == 0, ran.err


def test_a_sync_in_the_future_is_older_than_any_age_and_status_says_why(settled: Account) -> None:
    last = json.loads((settled.home / "last.json").read_text())
    for ahead, code in ((timedelta(seconds=30), 0), (timedelta(days=300), 10)):
        last["finished_at"] = (datetime.now(UTC) + ahead).isoformat()
        (settled.home / "last.json").write_text(json.dumps(last))

        ran = settled.run("status", "--max-age", "1h")
        assert ran.code == code
    assert "check this machine's clock" in ran.out


def test_a_published_file_that_is_gone_is_older_than_any_age(settled: Account) -> None:
    settled.warehouse.unlink()

    ran = settled.run("status", "--max-age", "1h")

    assert ran.code == 10
    assert "is gone" in ran.out
    settled.sync()
    assert settled.run("status", "--max-age", "1h").code == 0


def test_a_sync_without_news_makes_the_status_younger(settled: Account) -> None:
    before = settled.run("status", "--json").json["last_sync"]
    assert settled.sync().json["changed"] is False

    assert settled.run("status", "--json").json["last_sync"] > before


# -- durations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        (" 24h ", timedelta(hours=24)),
    ],
)
def test_durations_are_read(text: str, expected: timedelta) -> None:
    assert settings.duration(text, "--lookback") == expected


@pytest.mark.parametrize("text", ["", "24", "h", "1w", "1H", "1h30m", "-1h", "1.5h", "٣h", "1 h", "1e3s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(errors.SettingsError, match=r"--lookback '.*' is not a duration"):
        settings.duration(text, "--lookback")


# -- query, check, build ----------------------------------------------------------------------------------------------


def test_a_query_that_does_not_run_says_where_and_its_json_one_sentence(synced: Account) -> None:
    ran = synced.run("query", "--json", "select missing\nfrom cekura.results")

    assert ran.code == 2
    assert ran.err.startswith(f"cekura-sync: {ran.json['error']}\n")
    assert "\n" not in ran.json["error"]
    assert "\nLINE 1: select missing\n               ^" in ran.err


QUERY = "select 1 as n, 'a\"b,c\nd' as t, null as nothing, timestamptz '2026-01-02 03:04:05+00' as at, [1, 2] as list, 0.5::double as half"


def test_a_query_prints_json(synced: Account) -> None:
    assert synced.run("query", "--json", QUERY).json == [
        {
            "n": 1,
            "t": 'a"b,c\nd',
            "nothing": None,
            "at": "2026-01-02T03:04:05+00:00",
            "list": [1, 2],
            "half": 0.5,
        }
    ]


def test_a_query_prints_csv(synced: Account) -> None:
    rows = list(csv.reader(io.StringIO(synced.run("query", "--csv", QUERY).out)))

    assert rows[0] == ["n", "t", "nothing", "at", "list", "half"]
    assert rows[1][:3] == ["1", 'a"b,c\nd', ""]
    assert rows[1][3].startswith("2026-01-02")


def test_a_query_prints_a_table_for_people(synced: Account) -> None:
    ran = synced.run("query", "select agent_name, pass_rate from analytics.agent_pass_rate")

    assert (ran.code, ran.err) == (0, "")
    assert "agent_name" in ran.out
    assert "Northwind Parcel Hotline" in ran.out


def test_columns_of_one_name_keep_their_values_in_json(synced: Account) -> None:
    ran = synced.run("query", "--json", "select 1 as a, 2 as a, 3 as a_1, 4 as a, 5 as b")

    assert ran.json == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4, "b": 5}]


@pytest.mark.parametrize("given", ["a file", "standard input", "a dash"])
def test_a_query_can_come_from_a_file_or_standard_input(
    synced: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    sql = "-- Café\nselect 'Café' as n;\n-- the end"
    file = tmp_path / "query.sql"
    file.write_bytes(b"\xef\xbb\xbf" + sql.encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sql.encode()), encoding="utf-8"))

    ran = synced.run(
        "query", "--csv", *{"a file": ["-f", str(file)], "standard input": [], "a dash": ["-f", "-"]}[given]
    )

    assert (ran.code, ran.out) == (0, "n\nCafé\n"), ran.err


def test_a_query_given_twice_or_in_another_coding_is_refused(synced: Account, tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_bytes("select 'Café'".encode("latin-1"))

    assert "not both" in synced.run("query", "-f", str(file), "select 1").err
    ran = synced.run("query", "-f", str(file))
    assert (ran.code, "UTF-8" in ran.err) == (2, True), ran.err
    piped = subprocess.run(
        [sys.executable, "-m", "cekura_sync", "query"],
        input=file.read_bytes(),
        env={**os.environ, **synced.env, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert (piped.returncode, b"The query is not UTF-8 text" in piped.stderr) == (2, True), piped.stderr


def test_bytes_that_are_not_utf8_are_refused_wherever_they_are_given(
    synced: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(b"Z\xfcrich")
    for command in (
        *(["query", odd], ["backup", odd], ["restore", odd], ["export", odd, "--to", "x"], ["views", odd]),
        *(["sync", f"--search={odd}"], ["status", "--search", odd], ["schedule", "cron", "--search", odd]),
        *(
            ["build", "--changes", odd],
            ["models", "--dialect", "spark", "--schema", odd],
            ["report", "-o", odd],
        ),
        *(["sync", "--notify", f"https://secret.test/{odd}"], [odd], ["sync", "--log-format", odd]),
    ):
        ran = synced.run(*command)

        assert (ran.code, f"Argument {len(command)} " in ran.err or "Argument 2 " in ran.err) == (2, True), (
            ran
        )
        assert "is not UTF-8 text" in ran.err
        assert "secret" not in ran.err
    for name in (
        "CEKURA_WAREHOUSE",
        "CEKURA_CHANGES",
        "CEKURA_API_URL",
        "DESTINATION__POSTGRES__CREDENTIALS",
        "TMPDIR",
    ):
        ran = synced.run("build", **{name: odd})
        assert (ran.code, f"{name} is not UTF-8 text" in ran.err) == (2, True), ran.err
    (tmp_path / odd).mkdir()
    monkeypatch.chdir(tmp_path / odd)
    for command in (["backup", "copy"], ["query", "--warehouse", "copy", "select 1"], ["demo"]):
        ran = synced.run(*command)
        assert (ran.code, "path is not UTF-8" in ran.err) == (2, True), ran.err


def test_a_query_names_views_and_tables_without_their_schema(synced: Account) -> None:
    """Where both schemas have the name it is the view's."""
    ran = synced.run(
        "query",
        "--json",
        "select count(*) as n, (select count(*) from agent_pass_rate) as agents, (select count(*) from sync_log) as syncs from results where result_id > 0",
    )

    (counts,) = synced.query(
        "select (select count(*) from analytics.results), (select count(*) from analytics.agent_pass_rate), (select count(*) from cekura.sync_log)"
    )
    assert tuple(ran.json[0].values()) == counts


@pytest.mark.parametrize("output", [(), ("--csv",), ("--json",)])
def test_a_long_answer_ends_when_its_reader_has_enough(synced: Account, output: tuple[str, ...]) -> None:
    """The whole answer would never end; what is asked for comes as soon as it is known."""
    query = ["query", *output, "select i, 'Café' as name from range(1000000000000) as t(i)"]
    with subprocess.Popen(
        [sys.executable, "-m", "cekura_sync", *query],
        env=os.environ | synced.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert len(process.stdout.read(5000)) == 5000
        process.stdout.close()
        told = process.stderr.read()

    assert (process.returncode, told) == (0, b"")


def test_a_query_that_would_write_says_what_to_do(synced: Account) -> None:
    ran = synced.run("query", "create table mine as select * from agent_pass_rate")

    assert ran.code == 2
    assert "attach the warehouse with `read_only`" in ran.err


def test_csv_for_a_spreadsheet_holds_no_formula(synced: Account) -> None:
    ran = synced.run(
        "query",
        "--csv",
        "--for-spreadsheet",
        """select t as "=heading", -1 as n, interval '-1 day' as i from (values
        ('=1'), (chr(10) || '=1'), (' +1'), (chr(160) || '@a'), ('＝1'), (chr(8203) || '-1'), (chr(9) || 'a'), ('a=1'), ('Café')) as v(t)""",
    )

    assert ran.out.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(ran.out.removeprefix("\ufeff"))))
    assert rows[0] == ["'=heading", "n", "i"]
    assert [row[0] for row in rows[1:]] == [
        "'=1", "'\n=1", "' +1", "'\xa0@a", "'＝1", "'\u200b-1", "'\ta", "a=1", "Café"
    ]  # fmt: skip
    assert {tuple(row[1:]) for row in rows[1:]} == {("-1", "'-1 day")}


VALUES = r"'a\xAA'::blob as b, interval 1 day as i, ['x'::blob] as bs, {'INTERVAL': interval 3 day} as s, true as t, {'a': 1} as n"


def test_what_python_would_write_in_its_own_way_duckdb_writes(synced: Account) -> None:
    expected = {
        "b": "a\\xAA",
        "i": "1 day",
        "bs": ["x"],
        "s": {"INTERVAL": "3 days"},
        "t": True,
        "n": {"a": 1},
    }
    assert synced.run("query", "--json", f"select {VALUES}").json == [expected]
    written = list(csv.reader(io.StringIO(synced.run("query", "--csv", f"select {VALUES}").out)))
    assert written[1] == ["a\\xAA", "1 day", "[x]", "{'INTERVAL': 3 days}", "true", "{'a': 1}"]


@pytest.mark.parametrize("arguments", [["--csv", "{}"], ["{}", "--csv"], ["--csv", "--", "{}"]])
@pytest.mark.parametrize("comment", ["-- One row\n", "--\n", "--one row\n"])
def test_a_query_may_begin_with_a_comment(synced: Account, arguments: list[str], comment: str) -> None:
    sql = f"{comment}select 1 as one"

    ran = synced.run("query", *(sql if text == "{}" else text for text in arguments))

    assert (ran.code, ran.out) == (0, "one\n1\n"), ran.err


def test_every_model_can_be_asked_as_it_stands(synced: Account) -> None:
    model = Path(__file__).parents[2] / "sql" / "stuck_results.sql"

    assert synced.run("query", "--csv", model.read_text(encoding="utf-8")).out.startswith("result_id,")


@pytest.mark.parametrize("output", ["--json", "--csv"])
def test_a_query_without_rows_is_no_error(synced: Account, output: str) -> None:
    ran = synced.run("query", output, "select id from cekura.results where false")

    assert (ran.code, ran.out) == (0, "[]\n" if output == "--json" else "id\n")


@pytest.mark.parametrize(
    "value",
    [
        "'NaN'::double",
        "'-infinity'::double",
        "['NaN'::double, 1.0]",
        "{'x': 'infinity'::double}",
        "map {'k': date '2026-01-01'}",
        "'x'::blob",
        "interval 3 day",
        "1.5::decimal(4,1)",
        "2::hugeint ** 3",
        "'infinity'::timestamp",
    ],
)
def test_query_json_is_json_whatever_the_values_are(synced: Account, value: str) -> None:
    ran = synced.run("query", "--json", f"select {value} as v")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert ran.code == 0, ran.err
    json.loads(ran.out, parse_constant=refuse)


def test_a_time_without_end_is_no_year_9999(synced: Account) -> None:
    times = "select 'infinity'::timestamptz as a, '-infinity'::date as b, date '9999-12-31' as c"

    as_json, as_csv = (synced.run("query", form, times) for form in ("--json", "--csv"))

    assert json.loads(as_json.out) == [{"a": None, "b": None, "c": "9999-12-31"}]
    assert as_csv.out == "a,b,c\ninfinity,-infinity,9999-12-31\n"


def test_check_holds_on_a_fresh_warehouse(synced: Account) -> None:
    ran = synced.run("check")

    assert (ran.code, ran.out, ran.err) == (0, "", "All checks passed.\n")


def test_build_makes_deleted_views_again_and_keeps_the_rows(settled: Account) -> None:
    before = settled.stored()

    ran = settled.run("build")

    assert ran.code == 0, ran.err
    assert "agent_pass_rate" in ran.err
    assert settled.stored() == before
    assert settled.run("check").code == 0
    assert settled.sync().code == 0
    settled.assert_equals_api()


@pytest.mark.parametrize("command", [["build"], ["check"], ["query", "select 1"]])
def test_commands_without_a_warehouse_say_how_to_get_one(tmp_path: Path, command: list[str]) -> None:
    ran = run(*command, "--warehouse", str(tmp_path / "none.duckdb"), env={})

    assert ran.code == 9
    assert "run `cekura-sync sync` first" in ran.err
    assert not (tmp_path / "none.duckdb").exists()


@pytest.mark.parametrize("command", [["check"], ["query", "select 1"], ["build"]])
def test_commands_refuse_a_file_that_is_no_warehouse(tmp_path: Path, command: list[str]) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("These are my notes.\n" * 1000)

    ran = run(*command, "--warehouse", str(notes), env={})

    assert ran.code == 9, ran.err
    assert notes.read_text().startswith("These are my notes.")


# -- where settings come from -----------------------------------------------------------------------------------------


def vendor_file(text: str) -> None:
    path = vendor.path()
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_vendors_own_file_is_enough(
    quick: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vendor_file(f'api_key = "{quick.sandbox.key}"\napi_url = "{quick.sandbox.url}"\ndefault_project_id = 7\n')
    before = vendor.path().read_bytes()
    monkeypatch.chdir(tmp_path)

    ran = run("sync", "--json", "--dry-run", env={})

    assert ran.code == 0, ran.err
    assert ran.json["warehouse"] == str(tmp_path / "warehouse.duckdb")
    assert vendor.path().read_bytes() == before


@pytest.mark.parametrize(
    "expires",
    [
        "4102444800",
        '"4102444800"',
        '"2100-01-01T00:00:00+00:00"',
        "2100-01-01T00:00:00+00:00",
        '"soon"',
        None,
    ],
)
def test_the_login_of_the_vendors_cli_is_used_as_a_bearer_token(
    settled: Account, expires: str | None
) -> None:
    text = f'access_token = "{settled.sandbox.key}"\nrefresh_token = "another"\n'
    vendor_file(text + (f"token_expires_at = {expires}\n" if expires else ""))
    before = vendor.path().read_bytes()
    settled.sandbox.reset_requests()

    ran = settled.sync(CEKURA_API_KEY="")

    assert ran.code == 0, ran.err
    headers = settled.sandbox.requests[0].headers
    assert headers["authorization"] == f"Bearer {settled.sandbox.key}"
    assert "x-cekura-api-key" not in headers
    assert vendor.path().read_bytes() == before


@pytest.mark.parametrize(
    "expires", ["1700000000", "1700000000000", '"2023-11-14T22:13:20Z"', "2023-11-14T22:13:20"]
)
def test_an_expired_login_exits_3_and_says_to_log_in_again(quick: Account, expires: str) -> None:
    vendor_file(f'access_token = "very-secret-token"\ntoken_expires_at = {expires}\n')

    ran = quick.sync(CEKURA_API_KEY="")

    assert ran.code == 3
    assert "expired at 2023-11-14 22:13 UTC: log in again" in ran.err
    assert "or set CEKURA_API_KEY" in ran.err
    assert "very-secret-token" not in ran.err + ran.out
    assert quick.sandbox.requests == []


def test_a_login_that_the_api_refuses_exits_3_and_says_to_log_in_again(quick: Account) -> None:
    vendor_file('access_token = "very-secret-token"\n')

    ran = quick.sync(CEKURA_API_KEY="")

    assert ran.code == 3
    assert "log in again" in ran.err
    assert "very-secret-token" not in ran.err + ran.out


def test_a_key_goes_before_a_login(settled: Account) -> None:
    vendor_file('access_token = "expired"\ntoken_expires_at = 1\n')
    assert settled.sync().code == 0

    vendor_file(f'api_key = "{settled.sandbox.key}"\naccess_token = "expired"\ntoken_expires_at = 1\n')
    assert settled.sync(CEKURA_API_KEY="").code == 0


@pytest.mark.parametrize("marks", ["''", '""', "“”"])
def test_a_key_in_quotation_marks_is_named_as_such(quick: Account, marks: str) -> None:
    ran = quick.sync(CEKURA_API_KEY=f"{marks[0]}very-secret-key{marks[1]}")

    assert ran.code == 2
    assert "CEKURA_API_KEY begins and ends with a quotation mark" in ran.err
    assert "very-secret-key" not in ran.err + ran.out


def test_the_environment_goes_before_the_vendors_file(settled: Account) -> None:
    vendor_file('api_key = "another-key"\napi_url = "http://127.0.0.1:9"\n')

    assert settled.sync().code == 0


def test_a_refused_key_is_looked_for_where_it_stands(settled: Account) -> None:
    vendor_file('api_key = "another-key"\n')

    assert "check CEKURA_API_KEY," in settled.sync(CEKURA_API_KEY="wrong").json["error"]
    assert "check ~/.cekura/config.toml," in settled.sync(CEKURA_API_KEY="").json["error"]


def test_a_variable_that_is_nearly_a_setting_is_named(settled: Account) -> None:
    ran = settled.run(
        "status", CEKURA_WARHOUSE="x", CEKURA_TEST_LONG="", CEKURA_API_TOKEN="", CEKURA_DETAILS="0"
    )

    assert ran.err.splitlines() == [
        "Warning: The variable CEKURA_WARHOUSE is not a setting, and is ignored: did you mean CEKURA_WAREHOUSE?"
    ]


def test_every_variable_of_an_option_is_known_as_a_setting() -> None:
    helped = {
        name
        for command in cli.cli.commands.values()
        for option in command.params
        for name in re.findall(r"CEKURA_\w+", f"{getattr(option, 'help', '')} {option.envvar}")
    }

    assert helped | {"CEKURA_API_KEY"} == {*variables.NAMES}


def test_an_option_goes_before_the_environment(settled: Account) -> None:
    url, path = settled.sandbox.url, settled.warehouse

    ran = settled.sync(
        "--api-url", url, "--warehouse", str(path),
        CEKURA_API_URL="http://127.0.0.1:9", CEKURA_WAREHOUSE=str(path.with_name("other.duckdb")), CEKURA_API_VERSION="v9",
    )  # fmt: skip
    assert ran.code == 2
    ran = settled.sync(
        "--api-url", url, "--warehouse", str(path), "--api-version", "v2", "--lookback", "1h", "--full-every", "0",
        CEKURA_API_URL="http://127.0.0.1:9", CEKURA_WAREHOUSE=str(path.with_name("other.duckdb")), CEKURA_API_VERSION="v9",
        CEKURA_LOOKBACK="nonsense", CEKURA_FULL_EVERY="nonsense",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert path.exists()
    assert not path.with_name("other.duckdb").exists()
    assert settled.sandbox.requests[0].path.startswith("/test_framework/v2/")


@pytest.mark.parametrize("text", ["api_key = ", "api_key = 7", "\0", "[api_key]\nvalue = 'x'"])
def test_a_vendor_file_without_a_usable_key_exits_2(quick: Account, text: str) -> None:
    vendor_file(text)

    ran = run("sync", env={"CEKURA_WAREHOUSE": str(quick.warehouse), "CEKURA_API_URL": quick.sandbox.url})

    assert ran.code == 2
    assert "config.toml" in ran.err


def test_a_vendor_file_that_cannot_be_read_as_text_does_not_leak_its_content(quick: Account) -> None:
    vendor.path().parent.mkdir()
    vendor.path().write_bytes(b'api_key = "very-secret-key\xff')

    ran = quick.sync(CEKURA_API_KEY="")

    assert ran.code == 2
    assert "config.toml" in ran.err
    assert "very-secret-key" not in ran.err


def test_a_vendor_file_that_is_not_needed_is_not_read(settled: Account) -> None:
    vendor_file("api_key = ")

    assert settled.sync().code == 0
    assert settled.sync(CEKURA_API_URL="").code == 2


@pytest.mark.parametrize("home", ["/dev/null", "/nonexistent", None])
def test_who_has_no_home_has_no_vendor_file(
    settled: Account, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    def nobody(uid: int) -> NoReturn:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)

    assert settled.sync().code == 0
    assert run("sync", env={}).code == 2


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CEKURA_LOOKBACK", "soon"), ("CEKURA_FULL_EVERY", "often"), ("CEKURA_API_VERSION", "v9"), ("CEKURA_API_URL", "nowhere")],
)  # fmt: skip
def test_a_variable_with_a_wrong_value_exits_2(quick: Account, variable: str, value: str) -> None:
    ran = quick.sync(**{variable: value})

    assert (ran.code, value in ran.err) == (2, True)


def test_empty_variables_count_as_not_set(settled: Account) -> None:
    assert settled.sync(CEKURA_LOOKBACK="", CEKURA_FULL_EVERY="", CEKURA_API_VERSION="").code == 0


def test_a_full_sync_is_due_by_full_every(settled: Account) -> None:
    assert settled.sync().json["mode"] == "quick"
    assert settled.sync("--full-every", "0").json["mode"] == "quick"
    assert settled.sync(CEKURA_FULL_EVERY="0").json["mode"] == "quick"
    assert settled.sync("--full").json["mode"] == "full"


def test_the_key_is_not_shown_by_the_settings() -> None:
    shown = repr(settings.Settings(api_key="very-secret-key"))

    assert "very-secret-key" not in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gate", "--agent-id", "1", "--last", "9" * 30], "999 is too large"),
        (["erase", "--result", "9" * 30], "999 is too large"),
        (["sync", "--agent-id", "9" * 60], "999 is too large"),
        (["sync", "--project-id", "9" * 30], "999 is too large"),
        (["sync", "--details", "--details-budget", "9" * 30], "999 is too large"),
        (["sync", "--warehouse", os.fsdecode(b"\xff.duckdb")], "is not UTF-8 text"),
    ],
)
def test_a_number_or_a_path_that_no_database_holds_exits_with_2(
    synced: Account, arguments: list[str], says: str
) -> None:
    ran = synced.run(*arguments)

    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_a_query_prints_a_time_of_day(synced: Account) -> None:
    sql = "select time '17:25:37.9' as a, timetz '17:25:37+01' as b, timestamp '2024-03-05 17:25:37.9' as c"

    ran = synced.run("query", sql)

    assert ran.code == 0, ran.err
    assert re.split(r"\s{2,}", ran.out.strip().splitlines()[-1].strip()) == [
        "17:25:37.900000",
        "17:25:37+01:00",
        "2024-03-05 17:25:37",
    ]
