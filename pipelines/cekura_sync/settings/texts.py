"""Bytes from outside that are not UTF-8: Python hands them on as lone surrogates, and neither DuckDB nor the API takes those."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cekura_sync.errors import SettingsError

# How the names of the variables that count begin.
_READ = ("CEKURA_", "DESTINATION__", "TMPDIR", "TEMP", "TMP")


def is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def require_utf8(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raises SettingsError that quotes nothing: any of them may be a secret."""
    for place, text in enumerate(arguments, start=1):
        if not is_utf8(text):
            raise SettingsError(
                f"Argument {place} of the command is not UTF-8 text: write it as UTF-8, and rename a file whose name is not UTF-8."
            )
    for name, text in environ.items():
        if name.startswith(_READ) and not is_utf8(text):
            raise SettingsError(f"{ascii(name)[1:-1]} is not UTF-8 text: set it to text in UTF-8.")


def require_utf8_path(path: Path) -> None:
    """Raises SettingsError for a file that DuckDB cannot open."""
    if not is_utf8(str(path)):
        raise SettingsError(
            f"DuckDB opens no file whose path is not UTF-8, such as {str(path)!a}: choose another path."
        )
