"""Cases that only the long run takes: each is close to another that every run takes."""

from typing import Any

import pytest


def rare(*values: Any) -> list[Any]:
    """Parameters marked `long`, for use with `*` among others."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]
