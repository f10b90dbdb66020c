"""The variables of the environment that are settings."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

NAMES = (
    "CEKURA_API_KEY",
    "CEKURA_API_URL",
    "CEKURA_API_VERSION",
    "CEKURA_CHANGES",
    "CEKURA_DESTINATION",
    "CEKURA_DETAILS",
    "CEKURA_FULL_EVERY",
    "CEKURA_LOG_FORMAT",
    "CEKURA_LOOKBACK",
    "CEKURA_METRICS",
    "CEKURA_MODELS",
    "CEKURA_NOTIFY",
    "CEKURA_PING",
    "CEKURA_TRANSCRIPTS",
    "CEKURA_WAREHOUSE",
)
_ALIKE = 0.9  # of 1; others may be those of the vendor's own tools


def mistyped(names: Iterable[str]) -> Iterator[str]:
    """A warning for each name that is nearly, but not quite, that of a setting."""
    for name in sorted(names):
        if name.startswith("CEKURA") and name not in NAMES:
            for near in get_close_matches(name, NAMES, 1, _ALIKE):
                yield f"The variable {name} is not a setting, and is ignored: did you mean {near}?"
