"""The config file of Cekura's own command line. It is read, never written."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from cekura_sync.errors import SettingsError


def path() -> Path:
    return Path.home() / ".cekura" / "config.toml"


def is_needed(options: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> bool:
    """False if key and address are set elsewhere: then even a broken file does not matter."""
    has_url = options.get("api_url") is not None or environ.get("CEKURA_API_URL")
    return not (environ.get("CEKURA_API_KEY") and has_url)


def read() -> dict[str, object]:
    """Its values by name; empty without the file. Raises SettingsError."""
    try:
        file = path()
    except RuntimeError:  # a user without a home directory, as in many containers
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read ({error}): fix it, or move it away.") from None
    return {name: value for name, value in values.items() if not isinstance(value, dict | list)}
