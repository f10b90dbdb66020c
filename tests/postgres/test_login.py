"""libpq's own ways to log in, each on a server that asks for it in its pg_hba.conf."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from support.engines import UNPRIVILEGED, PostgreSql
from support.shared import Shared

VARIABLE = "DESTINATION__POSTGRES__CREDENTIALS"
ME = getpass.getuser()
RULES = f"""
local all trusted trust
local all {ME} peer
hostssl all certified 127.0.0.1/32 cert
hostssl all encrypted 127.0.0.1/32 scram-sha-256
hostnossl all encrypted 127.0.0.1/32 reject
host all scrammed 127.0.0.1/32 scram-sha-256
"""
# Who writes results, which is dlt's work, and the log, which is ours.
VISITORS = """
drop table if exists public.visitors;
create table public.visitors (name text);
create or replace function public.note_visitor() returns trigger language plpgsql as
    'begin insert into public.visitors values (session_user); return null; end';
create trigger noted after insert on cekura.results execute function public.note_visitor();
create trigger noted after insert on cekura.sync_log execute function public.note_visitor();
"""
ROLES = (ME, "trusted", "certified", "encrypted", "scrammed")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate, and one for the user `certified`, both signed by the same authority."""
    folder = tmp_path_factory.mktemp("keys")
    _openssl(
        folder, "req -new -x509 -days 2 -nodes -subj /CN=authority -keyout authority.key -out authority.crt"
    )
    for name, subject in (("server", "127.0.0.1"), ("client", "certified")):
        _openssl(folder, f"req -new -nodes -subj /CN={subject} -keyout {name}.key -out {name}.csr")
        (folder / "alt").write_text("subjectAltName=IP:127.0.0.1")
        signed = "-CA authority.crt -CAkey authority.key -CAcreateserial -days 2 -extfile alt"
        _openssl(folder, f"x509 -req -in {name}.csr {signed} -out {name}.crt")
        (folder / f"{name}.key").chmod(0o600)
    return folder


def _openssl(folder: Path, arguments: str) -> None:
    program = shutil.which("openssl") or pytest.skip("There is no openssl here.")
    subprocess.run([program, *arguments.split()], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def strict(server: str, keys: Path) -> Iterator[Path]:
    """The folder of the server's socket, while the server goes by our rules; they concern none of the other tests' users."""
    with PostgreSql(server) as admin:
        ((data, rules, socket),) = admin.query(
            "select current_setting('data_directory'), current_setting('hba_file'), current_setting('unix_socket_directories')"
        )
        before = Path(rules).read_text("utf-8")
        for name in ("server.key", "server.crt", "authority.crt"):
            shutil.copy(keys / name, data)
            if os.getuid() == 0:
                shutil.chown(Path(data, name), UNPRIVILEGED)
        Path(rules).write_text(RULES + before, "utf-8")
        admin.execute("alter system set ssl_ca_file = 'authority.crt'")
        admin.execute("alter system set ssl = on")
        admin.execute("set password_encryption = 'scram-sha-256'")
        for role in ROLES:
            admin.execute(f"create role \"{role}\" login superuser password 'hunter2'")
        admin.execute("select pg_reload_conf()")
        yield Path(socket)
        Path(rules).write_text(before, "utf-8")
        admin.execute("alter system reset all")
        admin.execute("select pg_reload_conf()")


@pytest.fixture
def place(shared: Shared) -> str:
    """Host and port."""
    return urlsplit(shared.address).netloc.rpartition("@")[2]


@pytest.fixture(autouse=True)
def _drop_after(shared: Shared, strict: Path) -> Iterator[None]:
    """Each user owns what it has made."""
    yield
    shared.execute("drop schema if exists cekura, analytics cascade; drop table if exists public.visitors")


def prepare(shared: Shared) -> None:
    """It has been synced by another user; now there is something new to be written."""
    shared.begin_synced()
    shared.execute(VISITORS)
    shared.world.insert(1)


def assert_syncs(shared: Shared, address: str | None, user: str, **env: str) -> None:
    if address is None:
        del shared.env[VARIABLE]
    else:
        env[VARIABLE] = address
    prepare(shared)
    ran = shared.sync(**env)
    status = shared.run("status", "--json", **env)

    assert (ran.code, status.code) == (0, 0), ran.err + status.err
    assert ran.json["warehouse"].startswith("postgres:")
    assert shared.query("select * from public.visitors") == [(user,), (user,)]
    shared.assert_equals_api()


def test_peer_over_a_socket(shared: Shared, strict: Path, place: str) -> None:
    port = place.rpartition(":")[2]
    assert_syncs(shared, f"postgresql:///warehouse?host={quote(str(strict), safe='')}&port={port}", ME)


def test_trust_over_a_socket_from_parts_without_a_password(shared: Shared, strict: Path, place: str) -> None:
    del shared.env[VARIABLE]
    parts = {
        "HOST": str(strict),
        "PORT": place.rpartition(":")[2],
        "USERNAME": "trusted",
        "DATABASE": "warehouse",
    }
    shared.env |= {f"{VARIABLE}__{name}": value for name, value in parts.items()}
    prepare(shared)
    ran = shared.sync()

    assert ran.code == 0, ran.err
    assert ran.json["warehouse"] == f"postgres:{strict}/warehouse"
    assert shared.query("select * from public.visitors") == [("trusted",), ("trusted",)]
    shared.assert_equals_api()


def test_a_password_from_a_file_or_a_variable(shared: Shared, place: str, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("127.0.0.1:*:*:scrammed:hunter2\n")
    (tmp_path / "passwords").chmod(0o600)
    address = f"postgresql://scrammed@{place}/warehouse"
    from_variable = shared.run("doctor", PGPASSWORD="hunter2", **{VARIABLE: address})
    without = shared.sync(**{VARIABLE: address}, PGPASSFILE=str(tmp_path / "nothing"))

    assert_syncs(shared, address, "scrammed", PGPASSFILE=str(tmp_path / "passwords"))
    assert from_variable.code == 0, from_variable.out
    assert (without.code, without.json["error"].count("no password supplied")) == (9, 1)
    assert "hunter2" not in from_variable.out + from_variable.err


@pytest.mark.parametrize("address", ["postgresql://", None])
def test_a_service_file(shared: Shared, place: str, tmp_path: Path, address: str | None) -> None:
    host, _, port = place.partition(":")
    service = (
        "[team]",
        f"host={host}",
        f"port={port}",
        "dbname=warehouse",
        "user=scrammed",
        "password=hunter2",
    )
    (tmp_path / "services").write_text("\n".join(service))

    assert_syncs(shared, address, "scrammed", PGSERVICEFILE=str(tmp_path / "services"), PGSERVICE="team")


def test_tls_with_a_certificate_instead_of_a_password(shared: Shared, place: str, keys: Path) -> None:
    files = f"sslrootcert={keys}/authority.crt&sslcert={keys}/client.crt&sslkey={keys}/client.key"
    stranger = shared.sync(
        **{VARIABLE: f"postgresql://certified@{place}/warehouse?sslmode=require&sslcert=&sslkey="}
    )

    assert_syncs(shared, f"postgresql://certified@{place}/warehouse?sslmode=verify-full&{files}", "certified")
    assert (stranger.code, "certificate" in stranger.json["error"]) == (9, True), stranger.err


def test_the_way_of_encryption_counts(shared: Shared, place: str) -> None:
    address = f"postgresql://encrypted:hunter2@{place}/warehouse"
    plain = shared.sync(**{VARIABLE: f"{address}?sslmode=disable"})

    assert_syncs(shared, f"{address}?sslmode=require", "encrypted")
    assert (plain.code, "pg_hba.conf rejects connection" in plain.json["error"]) == (9, True), plain.err
