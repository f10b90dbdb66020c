"""Addresses of the API and of a dead-man's switch: which are accepted, and which may be called without https."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from cekura_sync.errors import SettingsError

API_URL = "https://api.cekura.ai"

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_url(url: str, *, allow_http: bool = False) -> str:
    """The API's origin without a trailing slash; plain http only to loopback or when allowed."""
    if "@" in url:
        raise SettingsError(
            f"The API's address must not contain a user name or password: write it as {API_URL}."
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if (
        not _is_host(host)
        or parts.scheme not in ("http", "https")
        or parts.query
        or parts.fragment
        or re.search(r"\s", url)  # urlsplit drops line breaks
    ):
        raise SettingsError(f"'{url}' is not an API address: write it as {API_URL}.")
    if parts.scheme == "http" and not (is_loopback(host) or allow_http):
        raise SettingsError(
            f"Refusing to send the API key over plain http to {host}: use https, or --allow-http if you must."
        )
    return url.rstrip("/")


def check_ping(url: str) -> str:
    """The address of a dead-man's switch; plain http only to loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not _is_host(host) or "@" in parts.netloc or parts.fragment or re.search(r"[\s\0]", url):
        raise SettingsError(
            "--ping is not a complete address: copy all of it, as in https://hc-ping.com/your-uuid."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsError(f"--ping goes to {host} without https: write https://.")
    return url


def _is_host(name: str) -> bool:
    """Whether it can be a host at all: an address, or a name whose parts DNS could hold."""
    try:
        if ":" in name:
            return bool(ip_address(name.partition("%")[0]))
        return re.fullmatch(rb"[a-zA-Z0-9_.-]{1,253}", name.encode("idna")) is not None
    except ValueError:  # also what the codec raises for a part that is empty or longer than 63 letters
        return False


def is_loopback(host: str) -> bool:
    return host in _LOOPBACK or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
