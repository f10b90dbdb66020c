"""One text for each JSON value: keys sorted, numbers and escapes in one spelling.

Two texts of one value (keys in another order, `1.0` for `1`, `\\u00e9` for `é`) must not count as a change. Whatever of the
API's answers is kept or compared as JSON text is written here.
"""

import math
from typing import Any

import msgspec

_EXACT = 2**53  # up to here a double holds every whole number


def _number(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond every double")
    return int(number) if abs(number) <= _EXACT and number.is_integer() else number


def _number_or_text(text: str) -> int | float | str:
    """JSON has numbers that no double holds."""
    return _number(text) if math.isfinite(float(text)) else text


_rows = msgspec.json.Decoder(dict[str, Any], float_hook=_number_or_text)
_objects = msgspec.json.Decoder(dict[str, Any], float_hook=_number)
_encoder = msgspec.json.Encoder(order="sorted")


def read_object(text: bytes) -> dict[str, Any]:
    """Raises msgspec.MsgspecError, UnicodeDecodeError, RecursionError."""
    return _objects.decode(text)


def read_row(text: str) -> dict[str, Any]:
    """The same for a listed row, in which a number beyond every double stays as its text."""
    return _rows.decode(text)


def bigint(value: object) -> int | None:
    """The number, if the database can hold it and its negative as a bigint."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2**63) < value < 2**63 else None


def spelled(value: Any) -> str:
    """Raises msgspec.MsgspecError, UnicodeEncodeError, RecursionError."""
    return _encoder.encode(value).decode()
