"""The time that orders the listing is the one that the warehouse stores."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cekura_sync import database
from cekura_sync.api.times import microseconds

FORMS = (
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f%:z",
    "%Y-%m-%d %H:%M:%S.%f UTC",
    "%Y/%m/%d %H:%M:%S.%f",
    "  %Y-%m-%dT%H:%M:%SZ ",
    "%Y-%m-%dT%H:%M:%S.%f789Z",
    "%Y-%m-%d",
    "%Y%m%dT%H%M%S",
    "%d.%m.%Y %H:%M",
    "%G-W%V-%u",
)
CONNECTION = database.connect()


def as_stored(text: str) -> int | None:
    """As the warehouse reads it, see `diff.records.cast`."""
    return CONNECTION.execute("select epoch_us(try_cast($1 as timestamptz))", [text]).fetchall()[0][0]


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.datetimes(datetime(2001, 1, 1), datetime(2030, 1, 1)),
    st.integers(-14 * 4, 14 * 4),
    st.sampled_from(FORMS),
)
def test_a_time_in_any_form_is_read_as_it_is_stored(moment: datetime, quarters: int, form: str) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    form = form.replace("%:z", moment.replace(tzinfo=zone).isoformat()[-6:])
    text = moment.replace(tzinfo=zone).strftime(form)

    assert microseconds(text) == as_stored(text)


@pytest.mark.parametrize(
    "text", ["2026-11-25 17:05:11.123456 UTC", "2026/11/25 17:05:11.123456", " 2026-11-25T17:05:11.123456Z "]
)
def test_a_form_that_only_the_warehouse_knows_has_a_place_in_the_order(text: str) -> None:
    moment = datetime(2026, 11, 25, 17, 5, 11, 123456, tzinfo=UTC)

    assert microseconds(text) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "\ud83d",
        "infinity",
        "1999-01-01T00:00:00Z",
        "9998-01-01T00:00:00Z",
        None,
        7,
        True,
    ],
)
def test_what_is_no_believable_time_has_no_place_in_the_order(value: object) -> None:
    assert microseconds(value) is None
