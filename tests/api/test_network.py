"""Proxies, certificates and host names: what the environment says is followed, and its secrets are told to nobody."""

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cekura_sync import network
from support.harness import Account, NewAccount


@pytest.fixture
def account(new_account: NewAccount) -> Account:
    return new_account(results=5, runs_per_result=1, in_flight=0)


@pytest.mark.parametrize(
    ("no_proxy", "host", "excepted"),
    [
        ("", "api.test", False),
        ("*", "api.test", True),
        ("api.test", "api.test", True),
        ("API.test", "api.test", True),
        (".test", "api.test", True),
        ("*.test", "api.test", True),
        ("test", "api.test", True),
        ("pi.test", "api.test", False),
        ("localhost, api.test", "api.test", True),
        ("localhost api.test", "api.test", True),
        ("https://api.test", "api.test", True),
        ("api.test:443", "api.test", True),
        ("api.test:80", "api.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "api.test", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("::1/128", "api.test", False),
        ("::1,[::1]", "api.test", False),
        ("fd07:b51a:cc66:f0::/64", "fd07:b51a:cc66:f0::7", True),
        ("[fd07:b51a:cc66:f0::]/64", "fd07:b51a:cc66:f0::7", True),
        ("[fd07::7]", "fd07::7", True),
        ("[fd07::7]:443", "fd07::7", True),
        ("[fd07::7]:80", "fd07::7", False),
        ("fd07::7", "fd07:0:0:0:0:0:0:7", True),
        ("[", "api.test", False),
        ("]:", "api.test", False),
        (":::", "api.test", False),
        ("/,.,*.", "api.test", False),
        ("10.0.0.0/99", "10.1.2.3", False),
    ],
)
def test_no_proxy_has_names_domains_addresses_and_networks(no_proxy: str, host: str, excepted: bool) -> None:
    assert network.is_excepted(host, 443, no_proxy) is excepted


def test_a_proxy_that_does_not_answer_is_named(account: Account) -> None:
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}

    ran = account.sync("--api-url", "https://api.test", **proxy)

    assert ran.code == 4
    assert "cannot be reached through the proxy that the environment names" in ran.json["error"]


@pytest.mark.parametrize(
    "no_proxy", ["localhost,127.0.0.1", "127.0.0.0/8,::1/128", "::1,[::1]", "[", "fd07::/64"]
)
def test_a_proxy_is_used_whatever_else_no_proxy_holds(account: Account, no_proxy: str) -> None:
    proxy = {"HTTP_PROXY": account.sandbox.url, "NO_PROXY": no_proxy, "no_proxy": no_proxy}

    ran = account.sync("--dry-run", "--allow-http", "--api-url", "http://api.test", **proxy)

    assert (ran.code, ran.err) == (0, "")
    assert ran.json["rows_read"] == 5


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:s3cret/word@proxy.test:3128",
        "http://user:3128/s3cret@proxy.test:3128",
        "user:s3cret/word@proxy.test",
        "http://user:s3cret?word@proxy.test:3128",
        "http://user:s3cret#word@proxy.test:3128",
        "http://user:s3cret@proxy.test:notaport",
        "http://user:s3cret@",
        "ftp://user:s3cret@proxy.test",
        "socks9://user:s3cret@proxy.test",
        "http://s3cret\x01@proxy.test",
        "s3cret://",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_is_not_an_address_is_a_matter_of_settings_and_its_password_is_not_told(
    account: Account, variable: str, proxy: str
) -> None:
    ran = account.sync("-v", "--api-url", "https://api.test", **{variable: proxy})

    assert ran.code == 2, ran.err
    assert "environment" in ran.json["error"]
    assert "s3cret" not in ran.out + ran.err


def test_a_proxy_that_cannot_be_reached_keeps_its_password_too(account: Account) -> None:
    proxy = {"HTTPS_PROXY": "http://us3r:s3cret@127.0.0.1:9"}

    ran = account.sync("--api-url", "https://api.test", **proxy)

    assert ran.code == 4, ran.err
    assert "s3cret" not in ran.out + ran.err


def test_the_ping_does_not_tell_the_password_of_a_proxy(account: Account) -> None:
    proxy = {"HTTPS_PROXY": "http://user:s3cret/word@proxy.test:3128"}

    ran = account.sync("--ping", "https://monitor.invalid/uu1d", **proxy)

    assert ran.code == 0
    assert "The ping to monitor.invalid failed (" in ran.err
    assert "s3cret" not in ran.err
    assert "uu1d" not in ran.err


@pytest.mark.parametrize(
    "host",
    ["a" * 64 + ".test", "api..test", ".api.test", "a%2fb", "api_\u2603.test\u2024", "x" * 300, "api.te/../st:0x1", "1.2.3.4.5.", "[::1", "256.256.256.256", "0x7f.1", "-", "\u2100.test"],
)  # fmt: skip
def test_a_host_that_cannot_be_is_no_bug_of_ours(account: Account, host: str) -> None:
    ran = account.sync("--api-url", f"https://{host}", "--timeout", "2s")

    assert ran.code in (2, 4), ran.err
    assert "bug" not in ran.err


# -- certificates -----------------------------------------------------------------------------------------------------


class Gateway(BaseHTTPRequestHandler):
    """An empty account behind https."""

    def do_GET(self) -> None:
        body = json.dumps({"count": 0, "next": None, "previous": None, "results": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address on localhost, and the certificate that it shows, which nobody has signed."""
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out own.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(make.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem", tmp_path / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}", tmp_path / "own.pem"
        server.shutdown()


def test_certificates_of_the_environment_count_on_loopback_too(
    account: Account, gateway: tuple[str, Path]
) -> None:
    url, certificate = gateway

    assert account.sync("--api-url", url).code == 4
    ran = account.sync("--dry-run", "--api-url", url, SSL_CERT_FILE=str(certificate))
    assert ran.code == 0, ran.err
