"""`--destination`: which names it takes, what it says to others, and how it goes together with `--warehouse`."""

from pathlib import Path

import pytest

from support.harness import PATIENCE, Account

ENGINE = {
    "CEKURA_DESTINATION": "postgres",
    "DESTINATION__POSTGRES__CREDENTIALS": "postgresql://u:hunter2@127.0.0.1:1/x",
}
READING = (["status"], ["check"], ["query", "select 1"], ["report"], ["export", "--to", "out"], ["build"])


@pytest.fixture
def account(settled: Account) -> Account:
    return settled


@pytest.mark.parametrize("name", ["paper", "snowflake", "postgresql", "delta", "duckdb", "Postgres"])
def test_a_name_that_sync_cannot_fill_is_refused_with_what_to_do_instead(account: Account, name: str) -> None:
    ran = account.sync("--destination", name)

    assert (ran.code, ran.json["exit_code"]) == (2, 2)
    assert f"sync cannot fill '{name}': write --destination postgres" in ran.json["error"]
    assert "`cekura_source` in a dlt pipeline of your own" in ran.json["error"]
    assert account.sandbox.requests == []


def test_an_option_beats_the_environment_and_two_places_are_refused(account: Account) -> None:
    both = account.run("sync", "--destination", "postgres", "--warehouse", str(account.warehouse))
    assert both.code == 2
    assert "choose one of them" in both.err

    account.world.insert(1)
    assert account.sync("--warehouse", str(account.warehouse), **ENGINE).code == 0
    account.assert_equals_api()
    for command in READING[:3]:
        assert account.run(*command, "--warehouse", str(account.warehouse), **ENGINE).code == 0


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_no_command_takes_the_file_for_the_engine(account: Account, command: list[str]) -> None:
    """With an engine in the environment, what stands in the file is not what was asked for."""
    pytest.importorskip("psycopg2")

    ran = account.run(*command, **ENGINE)

    assert ran.code == 9
    assert "postgres:127.0.0.1/x refused:" in ran.err
    assert "hunter2" not in ran.out + ran.err


def test_without_the_driver_it_says_what_to_install(account: Account, tmp_path: Path) -> None:
    (tmp_path / "psycopg2.py").write_text("raise ModuleNotFoundError('gone', name='psycopg2')")
    process = account.start(PYTHONPATH=str(tmp_path), **ENGINE)
    _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 2
    assert "pip install '.[postgres]'" in err


@pytest.mark.parametrize("kind", ["cron", "systemd", "airflow", "dagster"])
def test_a_schedule_names_the_engine_and_never_its_credentials(account: Account, kind: str) -> None:
    printed = account.run("schedule", kind, **ENGINE)

    assert printed.code == 0, printed.err
    assert "postgres" in printed.out
    assert "--warehouse" not in printed.out
    assert "DESTINATION__POSTGRES__CREDENTIALS is a secret too" in printed.out
    assert "hunter2" not in printed.out
    assert "DuckDB" not in printed.out
    assert "warehouse below" not in printed.out


def test_airflow_hands_the_credentials_over(account: Account) -> None:
    printed = account.run("schedule", "airflow", **ENGINE).out

    assert "airflow variables set cekura_postgres_credentials" in printed
    assert '"DESTINATION__POSTGRES__CREDENTIALS": Variable.get("cekura_postgres_credentials")}' in printed
    compile(printed, "airflow", "exec")


@pytest.mark.parametrize("kind", ["docker", "kubernetes", "github"])
def test_a_schedule_that_would_lack_the_credentials_is_refused(account: Account, kind: str) -> None:
    refused = account.run("schedule", kind, **ENGINE)

    assert refused.code == 2
    assert "replace --warehouse by --destination postgres" in refused.err
