"""Where the key may go, what a query may read, what a hostile name may do to a terminal, whom we talk to."""

import contextlib
import gzip
import io
import json
import os
import pty
import socket
import subprocess
import sys
import threading
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cekura_sync.sandbox import Answer, Fault, Request, Sandbox, World
from support.harness import PATIENCE, Account, NewAccount, Ran
from support.rare import rare

KEY = "5ecre7-c0ffee-0123456789abcdef0123456789abcdef"


@pytest.fixture
def account(new_account: NewAccount) -> Account:
    return new_account(results=60, runs_per_result=1, key=KEY, page_size_cap=20)


# -- the key ----------------------------------------------------------------------------------------------------------


def texts_of(content: bytes) -> Iterator[bytes]:
    """What a file says, unpacked as far as it can be."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from texts_of(gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from texts_of(archive.read(name))
    elif content[:4] == b"PAR1":
        yield str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()


def assert_no_key(folder: Path, *ran: Ran) -> int:
    """Neither on disk nor in any output; returns how many files were read."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        for text in texts_of(path.read_bytes()):
            assert KEY.encode() not in text, path
            assert KEY[:20].encode() not in text, path
    for each in ran:
        assert KEY[:20] not in each.out + each.err
    return len(files)


def test_the_search_for_the_key_finds_it_in_packed_files(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(KEY.encode() * 3))
    (tmp_path / "outer.zip").write_bytes(packed.getvalue())

    with pytest.raises(AssertionError, match=r"outer\.zip"):
        assert_no_key(tmp_path)


def test_the_key_is_nowhere_on_disk_or_in_output_after_success(account: Account) -> None:
    """Also where the API echoes it inside a row. It is sent as a header of the one origin, and in no address."""
    newest = max(account.world.results)
    account.world.edit(newest, name=f"Requested with {KEY}")

    ran = [
        account.sync("-v"),
        account.sync("--details"),
        account.run("sync", "--full", "-v"),
        account.run("status", "--json"),
    ]

    assert [each.code for each in ran] == [0, 0, 0, 0]
    assert assert_no_key(account.warehouse.parent, *ran) >= 4
    assert account.query(f"select name from cekura.results where id = {newest}") == [("Requested with …",)]
    for request in account.sandbox.requests:
        assert request.headers["x-cekura-api-key"] == KEY
        assert KEY not in request.target
        assert request.method == "GET"


def test_scratch_that_a_killed_sync_leaves_does_not_hold_the_key(account: Account) -> None:
    """dlt writes its packages and traces into scratch; it is kept here to be read."""
    program = (
        "import os, sys\n"
        "from cekura_sync.warehouse import dlt_settings\n"
        "dlt_settings.isolate()\n"
        "from cekura_sync.warehouse import load as loading\n"
        "from cekura_sync import cli\n"
        "load = loading.load\n"
        "def and_die(*arguments, **more):\n"
        "    load(*arguments, **more)\n"
        "    os._exit(99)\n"
        "loading.load = and_die\n"
        "cli.run(['sync', '-q', '-v'])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | account.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ran.returncode == 99, ran.stderr
    assert any(path.suffix == ".parquet" for path in account.home.rglob("*"))
    assert_no_key(account.warehouse.parent, Ran(99, ran.stdout, ran.stderr))


def _json(text: str) -> bytes:
    return json.dumps({"detail": text}).encode()


ECHOES = {
    "401 with the key in its detail": (Answer(401, _json(f"Invalid key {KEY}.")), 3),
    "403 with the key behind a long text": (Answer(403, _json("x" * 170 + KEY)), 3),
    "403 with the key escaped": (Answer(403, _json("@").replace(b"@", "".join(f"\\u{ord(c):04x}" for c in KEY).encode())), 3),
    "500 with the key in its detail": (Answer(500, _json(f"Traceback: {KEY}")), 4),
    "400 with the key in its detail": (Answer(400, _json(f"Bad header {KEY}")), 5),
    "HTML that shows the key": (Answer(200, f"<html>{KEY}</html>".encode()), 5),
    "HTML whose key is cut by our excerpt": (Answer(200, b"<html>" + b"x" * 85 + KEY.encode()), 5),
    "an object that shows the key": (Answer(200, json.dumps({"error": KEY}).encode()), 5),
    "a redirect that carries the key": (Answer(302, b"", {"Location": f"https://another.invalid/?key={KEY}"}), 5),
    "a header line that no parser takes": (Answer(200, b"{}", {f"Bad Header {KEY}": "x"}), 4),
    "a coding that nobody knows": (Answer(200, b"{}", {"Content-Encoding": f"gzip, {KEY}"}), 5),
}  # fmt: skip


@pytest.mark.parametrize("sentence", ECHOES)
def test_a_server_that_echoes_the_key_does_not_make_us_print_it(account: Account, sentence: str) -> None:
    answer, code = ECHOES[sentence]
    account.sandbox.intercept = lambda _: answer

    ran = [account.sync(), account.run("sync", "-v")]

    assert [each.code for each in ran] == [code, code], ran[0].err
    assert_no_key(account.warehouse.parent, *ran)


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        "two words",
        "line\nbreak",
        "line\r\nX-Other: header",
        "ключ",
        "tab\tbed",
        "trailing ",
        "bell\a",
        "é",
    ],
)
def test_a_key_that_cannot_stand_in_a_header_is_refused_and_not_echoed(account: Account, key: str) -> None:
    ran = account.sync(CEKURA_API_KEY=key)

    assert ran.code == 2
    assert "CEKURA_API_KEY" in ran.err
    if key.strip():
        assert key not in ran.err + ran.out
    assert account.sandbox.requests == []
    assert not account.home.exists()


@pytest.mark.parametrize(
    "lure",
    [
        pytest.param("next", id="next names another origin"),
        pytest.param("301", id="a permanent redirect"),
        pytest.param("302", id="a redirect"),
        pytest.param("307", id="a redirect that keeps the method"),
        pytest.param("308", id="a permanent redirect that keeps the method"),
        pytest.param("300", id="a choice of places"),
    ],
)
def test_no_request_ever_reaches_another_origin(settled: Account, lure: str) -> None:
    with Sandbox(World(results=5), key=settled.sandbox.key) as thief:
        if lure == "next":
            settled.sandbox.rewrite = lambda _, payload: (
                payload | {"next": f"{thief.url}/test_framework/v1/results/?page=2"}
            )
        else:
            place = {"Location": f"{thief.url}/test_framework/v1/results/"}
            settled.sandbox.intercept = lambda _: Answer(int(lure), b"", place)

        ran = settled.sync("--full", "--page-size", "5")

        assert ran.code == (0 if lure == "next" else 5), ran.err
        assert thief.requests == []
    if lure == "next":
        assert len(settled.sandbox.requests) >= 4
        settled.assert_equals_api()


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://api.cekura.ai", True),
        ("http://192.168.0.7:8787", True),
        ("http://127.0.0.1.example.com", True),
        ("http://localhost.example.com", True),
        ("http://1270.0.0.1", True),
        ("http://0.0.0.0:1", True),
        ("http://[::2]:1", True),
        ("HTTP://api.cekura.ai", True),
        ("ftp://127.0.0.1", True),
        ("file:///etc/passwd", True),
        ("//127.0.0.1", True),
        ("api.cekura.ai", True),
        ("https://user:password@127.0.0.1:1", True),
        ("https://@127.0.0.1:1", True),
        ("http://127.0.0.1:1/?page=1", True),
        ("http://127.0.0.1:99999", True),
        ("http://127.0.0.1:1\n", True),
        ("http://127.0.0.1:1 ", True),
        ("http://\x1b[2J", True),
        ("", True),
        ("http://127.0.0.1:1", False),
        ("http://127.9.9.9:1", False),
        ("http://localhost:1", False),
        ("http://[::1]:1", False),
        ("https://127.0.0.1:1/", False),
    ],
)  # fmt: skip
def test_plain_http_goes_to_loopback_only(account: Account, url: str, refused: bool) -> None:
    ran = account.sync("--api-url", url, "--timeout", "1s")

    assert ran.code == (2 if refused else 4), ran.err
    assert "\x1b" not in ran.err
    assert "password@" not in ran.err


def test_plain_http_elsewhere_needs_allow_http(account: Account) -> None:
    assert account.sync("--api-url", "http://api.invalid", "--timeout", "1s").code == 2
    ran = account.sync("--api-url", "http://api.invalid", "--timeout", "1s", "--allow-http")
    assert (ran.code, "cannot be reached" in ran.err) == (4, True)


# -- what a query may do ----------------------------------------------------------------------------------------------

FORBIDDEN = [
    "select * from read_csv('{secret}')",
    "select * from read_text('{secret}')",
    "select * from read_blob('{secret}')",
    "select * from read_json('{secret}')",
    "select * from '{secret}'",
    "select * from glob('{folder}/*')",
    "select * from read_parquet('{secret}')",
    "attach '{folder}/other.duckdb'",
    "attach ':memory:' as m; create table m.t as select 1",
    "copy (select 1) to '{folder}/out.csv'",
    "copy cekura.results to '{folder}/out.parquet'",
    "export database '{folder}/dump'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "pragma enable_external_access",
    "set allow_community_extensions = true",
    "set temp_directory = '{folder}/tmp'",
    "set home_directory = '{folder}'",
    "create secret (type http)",
    "delete from cekura.results",
    "update cekura.results set name = ''",
    "insert into cekura.sync_log default values",
    "create table cekura.mine as select 1",
    "create view analytics.mine as select 1",
    "drop schema cekura cascade",
    "alter table cekura.results add column mine int",
    "checkpoint",
    "vacuum",
    "select 1; drop table cekura.results",
    "select getenv('CEKURA_API_KEY')",
    "import database '{folder}'",
    "copy (select 'gone' as a) to '{warehouse}' (format csv, use_tmp_file false)",
    "copy (select 'gone' as a) to '{warehouse}.wal' (format csv)",
    "copy (pivot analytics.results on status using count(*)) to '{warehouse}' (format csv, use_tmp_file false)",
    "explain analyze copy (select 1) to '{warehouse}' (format csv, use_tmp_file false)",
    "explain (analyze) copy (select 1) to '{warehouse}' (format csv, use_tmp_file false)",
    "-- a thought\nexplain /* select */ analyze copy (select 1) to '{warehouse}' (format csv)",
    "explain delete from cekura.results",
    "prepare p as copy (select 1) to '{warehouse}' (format csv, use_tmp_file false)",
    "execute p",
    "copy from database warehouse to elsewhere",
    "attach '{warehouse}' as again (read_only)",
    "detach warehouse",
    "use cekura",
    "set variable a = 1",
    "reset timezone",
    "pragma enable_profiling",
    "call enable_logging('QueryLog', storage = 'file', storage_path = '{folder}/log')",
    "select * from enable_logging('QueryLog', storage = 'file', storage_path = '{folder}/log')",
    "select * from checkpoint()",
    "select * from truncate_duckdb_logs()",
    "call range(3)",
    "create macro mine(a) as a",
    "create temp macro mine(a) as a",
    "create temp table mine as select 1",
    "create temp table mine as pivot analytics.results on status using count(*)",
    "create type mine as enum ('a')",
    "create sequence mine",
    "with gone as (delete from cekura.results returning *) select * from gone",
    "truncate cekura.results",
    "merge into cekura.results as r using cekura.runs as s on r.id = s.id when matched then delete",
    "comment on table cekura.results is 'mine'",
    "begin",
    "rollback",
    "force checkpoint",
    "analyze",
    "update extensions",
    "select 1) to '{warehouse}'; copy (select 1",
    "pivot analytics.results on status using count(*)) ; create temp table mine as (select 1",
    "select * from path",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_a_query_reads_no_other_file_and_writes_nothing(synced: Account, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nabracadabra\n")
    before = synced.warehouse.read_bytes()

    ran = synced.run("query", "--csv", sql.format(secret=secret, folder=tmp_path, warehouse=synced.warehouse))

    assert (ran.code, ran.out) == (2, ""), ran.err
    assert "abracadabra" not in ran.err
    assert synced.sandbox.key not in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert synced.warehouse.read_bytes() == before
    assert not Path(f"{synced.warehouse}.wal").exists()
    assert "bug" not in ran.err


@pytest.mark.parametrize(
    ("sql", "begins"),
    [
        ("select 1 as n", "n\n1\n"),
        ("select 1 as n; -- a thought", "n\n1\n"),
        ("-- a thought\nselect 1 as n;;", "n\n1\n"),
        ("with a as (select ';' as n) select * from a", "n\n;\n"),
        ("from range(2) as t(n)", "n\n0\n1\n"),
        ("values (1)", "col0\n1\n"),
        ("describe cekura.runs", "column_name,"),
        ("summarize cekura.runs", "column_name,"),
        ("show tables", "name\n"),
        ("show all tables", "database,"),
        ("explain select 1", "explain_key,"),
        ("/* why */ explain analyze select 1", "explain_key,"),
        ("explain (format json) select 1", "explain_key,"),
        ("pivot (select 1 as a, 2 as b) on a using sum(b)", "1\n2\n"),
        ("from (pivot (select 1 as a, 2 as b) on a using sum(b));", "1\n2\n"),
        ("unpivot (select 1 as a, 2 as b) on a, b", "name,value\n"),
        ("select count(*) as n from duckdb_settings() where false", "n\n0\n"),
    ],
)
def test_every_statement_that_only_reads_is_answered(synced: Account, sql: str, begins: str) -> None:
    ran = synced.run("query", "--csv", sql)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(begins)


# -- names that would drive a terminal --------------------------------------------------------------------------------

HOSTILE_NAMES = [
    "\x1b[2J\x1b[1;1Hyou have been wiped",
    "\x1b]0;a new title\x07",
    "\x1b]8;;https://evil.invalid\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mred by one byte",
    "over\rwritten",
    "back\b\b\b\bspace",
    "\u202egnp.exe",
    "\u2066isolated\u2069",
    "\u200bzero width",
    "line\u2028separator",
    "[red]markup[/red] [link=https://evil.invalid]x[/link] :boom:",
    "nul\0byte",
]


def drives_a_terminal(text: str) -> list[str]:
    return [
        repr(character)
        for character in text
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character != "\n"
    ]


def name_them(account: Account) -> None:
    for id_, name in zip(sorted(account.world.results), HOSTILE_NAMES, strict=False):
        account.world.edit(id_, name=name, agent_name=name)


@pytest.fixture
def named(new_synced: NewAccount) -> Account:
    """Twenty results, twelve of them with hostile names, synced."""
    return new_synced(arrange=name_them, results=20, runs_per_result=1, in_flight=0)


@pytest.mark.parametrize("output", [(), ("--json",)])
def test_names_cannot_drive_a_terminal(named: Account, output: tuple[str, ...]) -> None:
    ran = named.run(
        "query",
        *output,
        "select name, [name] as list, {'n': name} as struct, id from cekura.results order by id limit 12",
    )

    assert ran.code == 0, ran.err
    assert drives_a_terminal(ran.out) == []
    assert "[red]markup[/red]" in ran.out
    assert ":boom:" in ran.out
    if output:
        assert [row["name"] for row in ran.json] == HOSTILE_NAMES


def test_column_names_of_a_query_cannot_drive_a_terminal(synced: Account) -> None:
    ran = synced.run("query", 'select 1 as "\x1b[2Jgone\u202e", 2 as "[red]x[/red]"')

    assert ran.code == 0
    assert drives_a_terminal(ran.out) == []
    assert "[red]x[/red]" in ran.out


def test_errors_cannot_drive_a_terminal(account: Account) -> None:
    account.sandbox.intercept = lambda _: Answer(403, _json("\x1b[2J\u202eno\x9b"))

    for ran in (
        account.run("sync"),
        account.run("sync", "--api-version", "\x1b[2J"),
        account.run("query", "select \x1b[2J\u202e"),
        account.run("\x1b[2J"),
    ):
        assert ran.code in (2, 3, 9)
        assert drives_a_terminal(ran.err) == []


# -- whom we talk to --------------------------------------------------------------------------------------------------

HOOK = """
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "subprocess.Popen", "os.exec"):
        with open(os.environ["HEARD"], "a") as heard:
            heard.write(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}\\n")
sys.addaudithook(hook)
"""


def test_a_sync_talks_to_the_api_and_to_nobody_else(settled: Account, tmp_path: Path) -> None:
    """Nor does it touch the user's own files."""
    settled.world.insert(1)
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    heard = tmp_path / "heard"
    port = int(settled.sandbox.url.rpartition(":")[2])
    trap = Proxy()
    env = {
        "PYTHONPATH": str(tmp_path / "hook"),
        "HEARD": str(heard),
        "HTTP_PROXY": trap.url,
        "HTTPS_PROXY": trap.url,
        "ALL_PROXY": trap.url,
    }
    with trap:
        process = settled.start(**env)
        _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, err
    settled.assert_equals_api()
    told = set(heard.read_text().splitlines())
    assert f"socket.connect (('127.0.0.1', {port}),)" in told
    assert {line for line in told if str(port) not in line} == set()
    assert trap.calls == 0
    assert list(Path.home().rglob("*")) == []


class Proxy:
    """A listener that nobody should call."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.calls = 0

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._count, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _count(self) -> None:
        try:
            while True:
                self._socket.accept()[0].close()
                self.calls += 1
        except OSError:
            pass


def test_an_answer_packed_twice_does_not_fill_the_memory(account: Account) -> None:
    bomb = gzip.compress(gzip.compress(b" " * (64 << 20), 9), 9)
    account.sandbox.intercept = lambda _: Answer(200, bomb, {"Content-Encoding": "gzip, gzip"})

    ran = account.sync()

    assert len(bomb) < 2000
    assert (ran.code, "compressed more than once" in ran.err) == (5, True)


def test_the_fault_of_one_request_shows_no_key_in_verbose_tracebacks(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a bug in us, told in full, does not tell the key."""

    def broken(_: Request, __: object) -> None:
        raise RuntimeError("a bug")

    from cekura_sync.diff import compare

    monkeypatch.setattr(compare.Comparison, "take", broken)
    monkeypatch.setattr(sys, "argv", ["cekura-sync", "sync", "-v"])
    account.sandbox.faults.append(Fault("500", last=1))

    ran = account.run("sync", "-v")

    assert ran.code == 1
    assert "This is a bug in cekura-sync" in ran.err
    assert KEY not in ran.err


@pytest.mark.parametrize("output", [(), *rare(("--csv",), ("--json",))])
def test_names_cannot_drive_a_real_terminal(named: Account, output: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "cekura_sync",
        "query",
        *output,
        "select name from cekura.results order by id limit 12",
    ]
    with subprocess.Popen(
        command, env=os.environ | named.env | {"TERM": "dumb"}, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
            while chunk := os.read(ours, 65536):
                shown += chunk
    os.close(ours)

    assert process.returncode == 0
    assert b"[red]markup[/red]" in shown
    assert drives_a_terminal(shown.decode().replace("\r\n", "\n")) == []
