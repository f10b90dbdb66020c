"""The way into the engine: credentials that are missing or malformed, and a password that nobody gets to see."""

from pathlib import Path
from urllib.parse import quote

import pytest

from support.shared import Shared

VARIABLE = "DESTINATION__POSTGRES__CREDENTIALS"
SECRET = "hunter2"  # noqa: S105 - stands for one


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql+psycopg2://loader:hunter2@127.0.0.1/db", "with no name of a driver"),
        ("mysql://loader:hunter2@127.0.0.1/db", "must read postgresql://"),
        ("host=127.0.0.1 password=hunter2", "must read postgresql://"),
        ("hunter2", "must read postgresql://"),
        ("postgresql://loader:p@hunter2@127.0.0.1:1/db", "percent-encode the password"),
        ("postgresql://loader:p/hunter2@127.0.0.1:1/db", "percent-encode the password"),
        ("postgresql://loader:p#hunter2@127.0.0.1:1/db", "percent-encode the password"),
        ("postgresql://loader:hunter2", "The port in the credentials"),
        ("postgresql://loader:x@127.0.0.1:hunter2/db", "The port in the credentials"),
        ("postgresql://loader:x@127.0.0.1:65536/db", "The port in the credentials"),
        ("postgresql://loader:hunter2@127.0.0.1/db?connect_timeout=soon", "cannot be read"),
        ("postgresql://loader:hunter2@127.0.0.1/db?hunter2=1", "cannot be read"),
    ],
)
def test_credentials_that_are_none_are_refused_and_no_part_of_them_is_told(
    shared: Shared, address: str, says: str
) -> None:
    for command in (["sync", "--json", "-v"], ["status"], ["doctor"]):
        ran = shared.run(*command, DESTINATION__POSTGRES__CREDENTIALS=address, CEKURA_LOG_FORMAT="json")

        assert ran.code == 2
        assert says in ran.out + ran.err
        assert SECRET not in ran.out + ran.err
    assert shared.account.sandbox.requests == [] or command == ["doctor"]


@pytest.mark.parametrize("password", ["hunter2", "hunt@r/2%41", "hünter 2+"])
def test_what_the_driver_and_the_server_say_of_the_password_is_cut_out(shared: Shared, password: str) -> None:
    encoded = quote(password, safe="")
    shared.execute(f"drop role if exists odd; create role odd login password '{password}'")
    server = shared.address.split("@")[1].split("/")[0]

    ran = shared.sync(DESTINATION__POSTGRES__CREDENTIALS=f"postgresql://odd:{encoded}@{server}/{encoded}")

    said = ran.json["error"].partition("refused:")[2]
    assert (ran.code, "…" in said) == (9, True), ran.err
    assert not {password, encoded} & set(said.replace('"', " ").split()), said
    assert password not in said


def test_a_password_of_odd_characters_opens_the_way(shared: Shared) -> None:
    shared.execute("drop role if exists odd")
    shared.execute("create role odd login password 'a@b/c%41 #?:ü'")
    address = shared.address.replace(
        shared.address.split("@")[0], f"postgresql://odd:{quote('a@b/c%41 #?:ü', safe='')}"
    )

    assert shared.run("status", DESTINATION__POSTGRES__CREDENTIALS=address).code == 0


def test_parts_of_the_credentials_that_are_missing_or_bad_are_named(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    del shared.env[VARIABLE]
    parts = {f"{VARIABLE}__HOST": "127.0.0.1", f"{VARIABLE}__USERNAME": "cekura"}
    lacking = shared.sync(**parts)
    bad = shared.sync(**parts, **{f"{VARIABLE}__PORT": "hunter2"})

    assert (lacking.code, bad.code) == (2, 2)
    assert "lack the database" in lacking.json["error"]
    assert f"{VARIABLE}__DATABASE" in lacking.json["error"]
    assert f"The port of {VARIABLE} is not of type int" in bad.json["error"]
    assert SECRET not in bad.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[destination.postgres.credentials]\npassword = "hunter2"\nport = \n', "is not valid TOML (line 3)"),
        ("[destination.postgres.credentials]\npassword = hunter2\n", "is not valid TOML (line 2)"),
        ('[destination.postgres]\ncredentials = "mysql://u:hunter2@h/d"\n', "must read postgresql://"),
    ],
)
def test_a_flaw_in_dlts_own_file_is_told_by_file_and_line(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt/secrets.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    del shared.env[VARIABLE]

    ran = shared.sync()

    assert ran.code == 2
    assert says in ran.json["error"]
    assert "secrets.toml" in ran.json["error"]
    assert SECRET not in ran.out + ran.err
