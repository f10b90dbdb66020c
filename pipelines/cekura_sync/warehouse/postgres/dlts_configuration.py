"""Credentials where dlt finds them: variables for their parts, or `.dlt/secrets.toml`."""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from dlt.common.configuration.exceptions import (
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
)
from dlt.common.configuration.providers.toml import TomlProviderReadException
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from cekura_sync.errors import CekuraSyncError, SettingsError
from cekura_sync.warehouse import dlt_context
from cekura_sync.warehouse.postgres.access import FORM, SCHEMES, judge, none_given, unreadable


@configspec(init=False)
class _Credentials(PostgresCredentials):
    """Every part may be left to libpq, and some parts have no meaning to dlt."""

    database: str | None = None  # type: ignore[assignment]
    username: str | None = None  # type: ignore[assignment]
    password: TSecretStrValue | None = None  # type: ignore[assignment]
    host: str | None = None  # type: ignore[assignment]
    port: int | None = None  # type: ignore[assignment]
    written: str | None = None

    def parse_native_representation(self, native_value: Any) -> None:
        if isinstance(native_value, str):
            self.written = native_value.strip()
            judge(self.written)
        else:
            super().parse_native_representation(native_value)


@configspec
class _Wanted(BaseConfiguration):
    credentials: _Credentials = None  # type: ignore[assignment]  # how dlt says "required"


def address(destination: str, variable: str) -> str:
    """As libpq reads it. Raises SettingsError that never quotes what was found."""
    try:
        dlt_context.use(dlt_context.OnlyCredentials("."))
        found = resolve_configuration(_Wanted(), sections=("destination", destination)).credentials
    except CekuraSyncError:
        raise
    except TomlProviderReadException as error:
        raise SettingsError(_flaw_in_file(error.full_paths)) from None
    except ConfigValueCannotBeCoercedException as error:
        raise SettingsError(
            f"The {error.field_name} of {variable} is not of type {getattr(error.hint, '__name__', 'expected')}: fix it there, or in .dlt/secrets.toml."
        ) from None
    except (ConfigurationException, ValueError):  # their messages hold the password
        raise SettingsError(unreadable(variable)) from None
    return found.written or _of_parts(found, destination, variable)


def _of_parts(found: _Credentials, destination: str, variable: str) -> str:
    if not any((found.host, found.username, found.password, found.database)):
        raise SettingsError(none_given(destination, variable))
    if not found.database:
        raise SettingsError(
            f"The credentials of {destination} lack the database: write them as {FORM}, or set {variable}__DATABASE."
        )
    parts = {
        "host": found.host,
        "port": found.port,
        "user": found.username,
        "password": found.password,
        "dbname": found.database,
    }
    given = {name: str(value) for name, value in parts.items() if value}
    return f"{SCHEMES[1]}:///?{urlencode(given | {**(found.query or {})}, quote_via=quote)}"


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
