"""Many accounts in the same tables: a column that says whose a row is, first in every key."""

import re

from cekura_sync.errors import SettingsError

ACCOUNT = "account"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def require_name(account: str | None) -> None:
    """Raises SettingsError for a name that a folder, a partition or a text in SQL could not hold as it is."""
    if account is not None and not _NAME.fullmatch(account):
        raise SettingsError(
            f"account={account!r} is not a name: use 1 to 64 letters, digits, '_', '.' or '-', and begin with a letter or a digit."
        )
