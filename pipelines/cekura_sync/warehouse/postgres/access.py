"""The credentials, as dlt finds them in its configuration: checked before anything is sent, and removed from every message."""

import re
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
    LookupTraces,
)
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from cekura_sync.errors import CekuraSyncError, SettingsError
from cekura_sync.warehouse import dlt_context

SCHEMES = ("postgres", "postgresql")
_PARTS = ("username", "password", "host", "database")
_FORM = "postgresql://USER:PASSWORD@HOST/DATABASE"
_HOST_AND_PORT = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?", re.DOTALL)


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


@configspec(init=False)
class _Credentials(PostgresCredentials):
    def parse_native_representation(self, native_value: Any) -> None:
        if isinstance(native_value, str):
            native_value = native_value.strip()
            _judge(native_value)
        super().parse_native_representation(native_value)


@configspec
class _Wanted(BaseConfiguration):
    credentials: _Credentials = None  # type: ignore[assignment]  # how dlt says "required"


def find(destination: str) -> Access:
    """Raises SettingsError that names the missing or malformed part, and never quotes it."""
    variable = f"DESTINATION__{destination.upper()}__CREDENTIALS"
    try:
        dlt_context.use(dlt_context.OnlyCredentials("."))
        wanted = resolve_configuration(_Wanted(), sections=("destination", destination))
        return _access(destination, wanted.credentials)
    except CekuraSyncError:
        raise
    except TomlProviderReadException as error:
        raise SettingsError(_flaw_in_file(error.full_paths)) from None
    except ConfigFieldMissingException as error:
        raise SettingsError(_what_is_missing(destination, variable, _missing(error))) from None
    except ConfigValueCannotBeCoercedException as error:
        raise SettingsError(
            f"The {error.field_name} of {variable} is not of type {getattr(error.hint, '__name__', 'expected')}: fix it there, or in .dlt/secrets.toml."
        ) from None
    except (ConfigurationException, ValueError):  # their messages hold the password
        raise SettingsError(
            f"{variable} cannot be read: write it as {_FORM}, and percent-encode the password (%40 for @, %2F for /)."
        ) from None


def _access(destination: str, credentials: PostgresCredentials) -> Access:
    query = credentials.query or {}
    host = f"[{credentials.host}]" if ":" in credentials.host else credentials.host
    passwords = [credentials.password, *(str(query[name]) for name in query if "password" in name)]
    dsn = credentials.to_native_representation()
    return Access(destination, f"{destination}:{host}/{credentials.database}", dsn, _forms([dsn, *passwords]))


def _forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """As they are and as percent-encoded, the longest first."""
    forms = {
        form
        for secret in secrets
        for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    }
    forms |= {unquote(form) for form in forms}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def _judge(dsn: str) -> None:
    """Refuse what libpq and SQLAlchemy would split differently. Raises SettingsError that quotes nothing: any part may be the password."""
    if not dsn:
        raise SettingsError(_what_is_missing("postgres", "DESTINATION__POSTGRES__CREDENTIALS", _PARTS))
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme not in SCHEMES:
        raise SettingsError(
            f"The credentials of postgres must read {_FORM}, with no name of a driver behind postgresql: fix DESTINATION__POSTGRES__CREDENTIALS, or .dlt/secrets.toml."
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
            f"The port in the credentials of postgres is not a number from 1 to 65535: write {_FORM}, or HOST:PORT there; percent-encode the password."
        )


def _missing(error: ConfigFieldMissingException) -> set[str]:
    nested = [trace for traces in error.traces.values() for trace in traces]
    return {field for trace in nested if isinstance(trace, LookupTraces) for field in trace.traces}


def _what_is_missing(destination: str, variable: str, fields: Collection[str]) -> str:
    lacking = [part for part in _PARTS if part in fields]
    if len(lacking) in (0, len(_PARTS)):
        return f"There are no credentials for {destination}: set {variable}={_FORM}, or write them into .dlt/secrets.toml."
    variables = ", ".join(f"{variable}__{part.upper()}" for part in lacking)
    return f"The credentials of {destination} lack the {' and the '.join(lacking)}: write them as {_FORM}, or set {variables}."


def _flaw_in_file(paths: Collection[str]) -> str:
    """Names the file and the line; never quotes it: it may hold the password."""
    for path in map(Path, paths):
        try:
            tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"\bline (\d+)", str(error))
            where = f"line {line[1]}" if line else "the end"
            return f'{path} is not valid TOML ({where}): fix it there, as in port = 5432 or password = "…".'
        except (OSError, UnicodeError):
            return f"{path} cannot be read: it must be UTF-8, and yours to read."
    return f"{', '.join(paths)} cannot be read: fix it, or set the credentials in the environment."
