"""From bytes to rows: one form whatever the shape, and a bad row costs only itself."""

import json

import pytest

from cekura_sync.api.decode_rows import decode_detail, decode_page
from cekura_sync.errors import ApiUnavailable, UnbelievableAnswer, UnreadableAnswer

GOOD = '{"id": 7, "created_at": "2026-01-01T00:00:00Z"}'


def page(*rows: str) -> bytes:
    return ('{"count": 3, "next": null, "previous": null, "results": [' + ", ".join(rows) + "]}").encode()


def test_a_page_gives_its_rows_the_count_and_whether_there_is_more() -> None:
    decoded = decode_page(b'{"count": 9, "next": "https://x/?page=2", "results": [' + GOOD.encode() + b"]}")

    assert [row.key for row in decoded.rows] == [7]
    assert decoded.rows[0].created == 1_767_225_600_000_000
    assert (decoded.count, decoded.has_next) == (9, True)


@pytest.mark.parametrize(
    "bad",
    [
        '{"id": 8, "success_rate": NaN}',
        r'{"id": 8, "name": "\ud800"}',
        '{"id": 8, "name": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"id": 8, "a": 01}',
        '{"id": 8, "a": [1,]}',
        '"a string"',
        "null",
        "5",
    ],
    ids=[
        "NaN",
        "lone surrogate",
        "nesting bomb",
        "leading zero",
        "trailing comma",
        "string",
        "null",
        "number",
    ],
)
def test_a_row_that_is_no_json_object_is_set_aside_and_the_others_stay(bad: str) -> None:
    rows = decode_page(page(GOOD, bad, GOOD.replace("7", "9"))).rows

    assert [row.flaw is None for row in rows] == [True, False, True]
    assert [rows[0].key, rows[2].key] == [7, 9]
    assert rows[1].raw == bad


def test_a_row_in_another_encoding_is_set_aside_with_its_id() -> None:
    body = page(GOOD, '{"id": 8, "name": "BYTES"}').replace(b"BYTES", b"\xff\xfe")

    bad = decode_page(body).rows[1]

    assert bad.flaw is not None
    assert bad.key == 8


@pytest.mark.parametrize(
    "odd", ['"runs": 5', '"rate": NaN', r'"name": "\ud83d"', '"name": "\t"', '"name": "BYTES"']
)
def test_a_row_that_cannot_be_stored_is_known_by_its_id_wherever_that_stands(odd: str) -> None:
    """By it `erase --result` finds what is kept of the row."""
    body = page('{"scenarios": [{"id": 3}], %s, "id": "8"}' % odd).replace(b"BYTES", b"\xff\xfe")  # noqa: UP031

    (row,) = decode_page(body).rows

    assert (row.key, row.flaw is None) == (8, False)


def test_runs_and_scenarios_keyed_by_id_become_arrays() -> None:
    keyed = {
        "id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "runs": {"5": {"status": "completed"}, "6": {"id": 6}},
        "scenarios": {"3": {"name": "one"}, "4": "two"},
    }

    raw = json.loads(decode_page(page(json.dumps(keyed))).rows[0].raw)

    assert raw["runs"] == [{"id": "5", "status": "completed"}, {"id": 6}]
    assert raw["scenarios"] == [{"id": "3", "name": "one"}, {"id": "4", "name": "two"}]


def test_a_list_of_scenario_ids_becomes_objects_without_names() -> None:
    raw = json.loads(decode_page(page('{"id": 1, "scenarios": [24270, 24271]}')).rows[0].raw)

    assert raw["scenarios"] == [{"id": 24270}, {"id": 24271}]


@pytest.mark.parametrize("count", ["1" + "0" * 40, "1" + "0" * 400, "true", '"7"', "1.5"])
def test_a_count_that_is_no_possible_number_is_none(count: str) -> None:
    assert decode_page(b'{"count": %s, "next": null, "results": []}' % count.encode()).count is None


def test_a_list_of_scenario_names_becomes_objects_without_ids() -> None:
    raw = json.loads(decode_page(page('{"id": 1, "scenarios": ["one", "two"]}')).rows[0].raw)

    assert raw["scenarios"] == [{"name": "one"}, {"name": "two"}]


def test_the_detail_form_is_cut_to_what_the_list_carries() -> None:
    detail = {
        "id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "failed_reasons": [],
        "runs": {"5": {"id": 5, "success": True, "transcript_object": [1, 2]}},
    }

    body = json.dumps(detail).encode()
    row = decode_detail(body, {"id", "created_at", "runs"}, {"id", "success"}, list_in_percent=False)

    assert json.loads(row.raw) == {
        "id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "runs": [{"id": 5, "success": True}],
    }


@pytest.mark.parametrize(
    "field", ['"runs": 5', '"runs": true', '"runs": 1.5', '"success_rate": 1' + "0" * 400]
)
@pytest.mark.parametrize("list_in_percent", [False, True])
def test_an_odd_value_by_id_is_left_to_those_who_reject_it(field: str, *, list_in_percent: bool) -> None:
    body = f'{{"id": 1, "created_at": "2026-01-01T00:00:00Z", "success_rate": 50, {field}}}'
    keys = ({"id", "created_at", "success_rate", "runs"}, {"id"})

    row = decode_detail(body.encode(), *keys, list_in_percent=list_in_percent)

    assert row.flaw == "runs is not a list" or field.replace(" ", "") in row.raw


def test_a_page_whose_count_is_nested_too_deeply_cannot_be_read() -> None:
    body = b'{"results": [{"id": NaN}], "count": ' + b"[" * 5000 + b"]" * 5000 + b', "next": null}'

    with pytest.raises(UnreadableAnswer):
        decode_page(body)


@pytest.mark.parametrize(
    ("rate", "passed", "runs", "fraction", "percent"),
    [
        (100, 2, 2, 1.0, 100),
        (1, 2, 2, 1, 100),
        (1, 1, 100, 0.01, 1),
        (50.0, 0, 0, 0.5, 50),
        (0.5, 1, 2, 0.5, 50),
        (0.5, 0, 2, 0.5, 0.5),  # it contradicts the runs, and half a percent of two runs is none
        (0, 0, 2, 0, 0),
        (1.0000000000000002, 0, 0, 1.0000000000000002, 1.0000000000000002),
    ],
)
def test_a_rate_by_id_is_brought_to_the_scale_of_the_list(
    rate: float, passed: int, runs: int, fraction: float, percent: float
) -> None:
    summaries = [{"id": number, "success": number < passed} for number in range(runs)]
    detail = {"id": 1, "created_at": "2026-01-01T00:00:00Z", "success_rate": rate, "runs": summaries}
    keys = ({"id", "created_at", "success_rate", "runs"}, {"id", "success"})

    as_fraction = decode_detail(json.dumps(detail).encode(), *keys, list_in_percent=False)
    as_listed = decode_detail(json.dumps(detail).encode(), *keys, list_in_percent=True)

    assert json.loads(as_fraction.raw)["success_rate"] == fraction
    assert json.loads(as_listed.raw)["success_rate"] == percent


@pytest.mark.parametrize(
    "body",
    [b'{"detail": "no"}', b'{"results": {}}', b'{"results": null}', b"[1, 2]", b'"maintenance"', b"null"],
)
def test_json_of_another_shape_is_not_believed(body: bytes) -> None:
    with pytest.raises(UnbelievableAnswer) as raised:
        decode_page(body)
    assert not isinstance(raised.value, UnreadableAnswer), "it would be asked for again"


@pytest.mark.parametrize("body", [b"<html></html>", b"", b"[1, 2", b"plain words"])
def test_what_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_page(body)


@pytest.mark.parametrize("length", [10, 40, 100, 140])
def test_a_page_that_breaks_off_was_cut(length: int) -> None:
    with pytest.raises(ApiUnavailable, match="cut short"):
        decode_page(page(GOOD, GOOD, GOOD)[:length])


def test_a_page_that_breaks_off_behind_a_brace_was_cut_too() -> None:
    body = page(GOOD, GOOD)
    with pytest.raises(ApiUnavailable, match="cut short"):
        decode_page(body[: body.rindex(b"}, ") + 1])


def test_a_broken_row_never_takes_the_id_of_something_inside_it() -> None:
    bad, good = decode_page(page('{"runs": [{"id": 7, "x": NaN}], "id": 97}', GOOD)).rows

    assert bad.flaw is not None
    assert bad.key != 7
    assert good.key == 7


def test_a_megabyte_of_quotes_without_an_end_is_no_work() -> None:
    with pytest.raises(ApiUnavailable, match="cut short"):
        decode_page(b'{"results": [{"id": 1, "name": "' + b'\\"' * 500_000 + b"}")
