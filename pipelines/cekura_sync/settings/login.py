"""With what a sync shows itself to the API: a key, or the token that the vendor's own CLI holds after a login."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from cekura_sync import clock
from cekura_sync.errors import KeyRefused, SettingsError

VARIABLE, VENDORS_FILE = "CEKURA_API_KEY", "~/.cekura/config.toml"
_QUOTATION_MARKS = "\"'“”„‘’`"


class Login(NamedTuple):
    secret: str
    is_token: bool = False  # sent as `Authorization: Bearer`; a key has a header of its own
    source: str = VARIABLE  # where it stands


def find(environ: Mapping[str, str], vendor: Mapping[str, object]) -> Login:
    """The key, else the vendor CLI's token. Raises SettingsError, and KeyRefused for a token that has expired."""
    for source, key in ((VARIABLE, environ.get(VARIABLE)), (VENDORS_FILE, vendor.get("api_key"))):
        if isinstance(key, str) and key:
            return Login(
                check(key, VARIABLE if source == VARIABLE else f"api_key in {source}"), source=source
            )
    token = vendor.get("access_token")
    if not isinstance(token, str) or not token:
        return Login(check(""))
    expires = _moment(vendor.get("token_expires_at"))
    if expires is not None and expires <= clock.now():
        raise KeyRefused(
            f"The login in {VENDORS_FILE} expired at {expires:%Y-%m-%d %H:%M} UTC: log in again with Cekura's own CLI, or set CEKURA_API_KEY."
        )
    return Login(check(token, f"access_token in {VENDORS_FILE}"), is_token=True, source=VENDORS_FILE)


def check(key: str, name: str = VARIABLE) -> str:
    """The key, if it can stand in a header. Its text never appears in the message."""
    if not key:
        raise SettingsError(
            f"No API key: set {VARIABLE}, or put api_key into {VENDORS_FILE} (`cekura-sync demo` shows the product without one)."
        )
    if len(key) > 1 and key[0] in _QUOTATION_MARKS and key[-1] in _QUOTATION_MARKS:
        raise SettingsError(
            f"{name} begins and ends with a quotation mark: remove both, they are not part of the key."
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise SettingsError(
            f"{name} holds a space, a line break or a character outside ASCII: copy the key again, alone."
        )
    return key


def _moment(value: object) -> datetime | None:
    """Seconds since 1970, or a time as TOML or ISO 8601 write it; None for anything else, which the API has to judge."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"[0-9.]+", value):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        seconds = float(str(value))
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
