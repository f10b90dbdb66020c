"""The way into the database, as libpq reads it: checked before anything is sent, and removed from every message."""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from cekura_sync.errors import SettingsError

SCHEMES = ("postgres", "postgresql")
FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"
_HOST_AND_PORT = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?", re.DOTALL)
_CONNECT_SECONDS = 15
# With one of these the driver finds its way without an address.
_LIBPQ = ("PGSERVICE", "PGDATABASE")


class Access(NamedTuple):
    destination: str
    name: str  # of the database, for messages
    dsn: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Access({self.name})"

    def redacted(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return text


def find(destination: str) -> Access:
    """Raises SettingsError that names the missing or malformed part, and never quotes it."""
    variable = f"DESTINATION__{destination.upper()}__CREDENTIALS"
    address = os.environ.get(variable, "").strip()
    if not address and any(map(os.environ.get, _LIBPQ)) and not _is_given_in_parts(variable):
        address = f"{SCHEMES[1]}://"
    if not address:
        from cekura_sync.warehouse.postgres import dlts_configuration

        address = dlts_configuration.address(destination, variable)
    judge(address)
    try:
        parts = parse_dsn(address)
        int(parts.setdefault("connect_timeout", os.environ.get("PGCONNECT_TIMEOUT", str(_CONNECT_SECONDS))))
    except (psycopg2.Error, ValueError):  # their messages hold the password
        raise SettingsError(unreadable(variable)) from None
    passwords = [value for name, value in parts.items() if "password" in name]
    secrets = [address, *passwords, os.environ.get("PGPASSWORD", "")]
    return Access(destination, f"{destination}:{_place(parts)}", make_dsn(**parts), _forms(secrets))


def _is_given_in_parts(variable: str) -> bool:
    return any(name.startswith(f"{variable}__") for name in os.environ)


def unreadable(variable: str) -> str:
    return f"{variable} cannot be read: write it as {FORM}, and percent-encode the password (%40 for @, %2F for /)."


def _place(parts: dict[str, str]) -> str:
    """HOST/DATABASE, as far as the address and libpq's variables tell."""
    service = parts.get("service") or os.environ.get("PGSERVICE", "")
    host = parts.get("host") or parts.get("hostaddr") or os.environ.get("PGHOST") or service or "localhost"
    database = (
        parts.get("dbname") or os.environ.get("PGDATABASE") or ("" if service else parts.get("user", ""))
    )
    host = f"[{host}]" if ":" in host else host.rstrip("/")
    return f"{host}/{database}".rstrip("/")


def _forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """As they are and as percent-encoded, the longest first."""
    forms = {
        form
        for secret in secrets
        for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    }
    forms |= {unquote(form) for form in forms}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def judge(dsn: str) -> None:
    """Refuse what libpq and SQLAlchemy would split differently. Raises SettingsError that quotes nothing: any part may be the password."""
    if not dsn:
        raise SettingsError(none_given("postgres", "DESTINATION__POSTGRES__CREDENTIALS"))
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme not in SCHEMES:
        raise SettingsError(
            f"The credentials of postgres must read {FORM}, with no name of a driver behind postgresql: fix DESTINATION__POSTGRES__CREDENTIALS, or .dlt/secrets.toml."
        )
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if rest.count("@") > 1 or ("@" in rest and "@" not in authority):
        raise SettingsError(
            "The credentials of postgres hold an @, /, ? or # that is part of the user's name or the password: percent-encode the password (%40 for @, %2F for /, %3F for ?, %23 for #)."
        )
    found = _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2])
    port = found["port"] if found else None
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise SettingsError(
            f"The port in the credentials of postgres is not a number from 1 to 65535: write {FORM}, or HOST:PORT there; percent-encode the password."
        )


def none_given(destination: str, variable: str) -> str:
    return f"There are no credentials for {destination}: set {variable}={FORM}, or write them into .dlt/secrets.toml."
