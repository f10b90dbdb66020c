"""How another host is reached: through which proxy, trusting whose certificates; never a secret in a message."""

import ipaddress
import re
import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import httpx

from cekura_sync.errors import SettingsError
from cekura_sync.settings.addresses import is_loopback

_PORTS = {"http": 80, "https": 443}


def client(url: str, **options: Any) -> httpx.Client:
    """A client for this origin with the environment's proxy and certificates, and httpx's other options.

    No proxy for loopback, and no redirect is followed: httpx would carry a key in a header to another origin.
    Raises SettingsError where the environment cannot be used.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme == "https":
            options["verify"] = httpx.create_ssl_context(trust_env=True)  # SSL_CERT_FILE, SSL_CERT_DIR
        else:
            options["verify"] = _trusts_nobody()
        return httpx.Client(proxy=_proxy(parts), trust_env=False, follow_redirects=False, **options)
    except SettingsError:
        raise
    except Exception as error:
        # Other kinds of error may quote the address of the proxy, with its password.
        reason = f": {error}" if isinstance(error, ImportError | OSError) else ""
        raise SettingsError(
            f"The proxy or certificate settings of the environment cannot be used ({type(error).__name__}{reason}): fix or unset them."
        ) from None


def _trusts_nobody() -> ssl.SSLContext:
    """For plain http, which needs no certificates: reading those that httpx brings takes longer than a request."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_proxied(url: str) -> bool:
    return _proxy(urlsplit(url)) is not None


def without_secrets(text: str) -> str:
    """The text without names and passwords for the proxies of the environment."""
    for address in getproxies().values():
        credentials, at, _ = address.rpartition("://")[2].rpartition("@")
        for secret in (credentials, *credentials.split(":", 1)) if at else ():
            text = text.replace(secret, "…") if secret else text
    return text


def _proxy(target: SplitResult) -> httpx.Proxy | None:
    proxies, host = getproxies(), target.hostname or ""
    name = next((name for name in (target.scheme, "all") if proxies.get(name)), "")
    port = target.port or _PORTS.get(target.scheme, 0)
    if not name or is_loopback(host) or is_excepted(host, port, proxies.get("no", "")):
        return None
    address = proxies[name] if "://" in proxies[name] else f"http://{proxies[name]}"
    try:
        proxy = httpx.Proxy(address)
    except Exception:
        proxy = None
    # A slash in the password ends the host: what follows it would count as a path.
    if proxy is None or not proxy.url.host or proxy.url.raw_path != b"/" or proxy.url.fragment:
        raise SettingsError(
            f"The environment's proxy {name.upper()}_PROXY is not an address: write it as http://user:password@host:3128, "
            "with / in the password as %2F, # as %23 and ? as %3F."
        )
    return proxy


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY has this host: by name, domain, address or network, in brackets or not, with or without a port."""
    return any(_excepts(entry, host, port) for entry in re.split(r"[\s,]+", no_proxy.lower()) if entry)


def _excepts(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2]
    only_port = ""
    if entry.count(":") == 1 or "]:" in entry:
        entry, _, only_port = entry.rpartition(":")
    if only_port not in ("", str(port)):
        return False
    entry = entry.replace("[", "").replace("]", "")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        domain = entry.lstrip("*.")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
