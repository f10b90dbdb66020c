"""Whatever a field is called, its column has a name that dlt leaves alone, in every engine, and that no other column has."""

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cekura_sync.diff import naming
from cekura_sync.tables import RESULTS

POSTGRESQL = NamingConvention(max_length=63)  # it cuts the longest names; DuckDB cuts none
keys = st.text(min_size=1, max_size=90) | st.text(st.sampled_from("aA1_ -名"), min_size=1, max_size=90)


def learned(*fields: str) -> dict[str, str]:
    known = {name: name for name in RESULTS}
    naming.learn(known, RESULTS, {*fields})
    return {key: column for key, column in known.items() if key not in RESULTS}


@settings(max_examples=60, deadline=None)
@given(st.lists(keys, max_size=30))
@example(["percentage_of_the_callers_own_turns_with_some_interruptions_detected_by_agent"])
@example(["名前", "名", "field", "field_2"])
@example(["a" * 59 + "_" + end for end in "bcdefghijklmno"])
@example(["_", "__", "x_", "_dlt_id", "1", "_1", "9" * 70, "ctid", "xmin_", "id_"])
def test_dlt_leaves_the_name_of_every_column_alone(fields: list[str]) -> None:
    columns = [*learned(*fields).values()]

    assert [POSTGRESQL.normalize_identifier(name) for name in columns] == columns
    assert len({*columns, *RESULTS, *naming.OWN_COLUMNS}) == len(columns) + len(RESULTS) + len(
        naming.OWN_COLUMNS
    )
    assert not any(name.startswith("_") for name in columns)


def test_hundreds_of_long_names_that_begin_alike_stay_apart() -> None:
    columns = {*learned(*(f"{'a' * 70}{number}" for number in range(300))).values()}

    assert len(columns) == 300
    assert {POSTGRESQL.normalize_identifier(name) for name in columns} == columns


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("promptVersion", "prompt_version"),
        ("HTTPStatus", "http_status"),
        ("1st", "api_1st"),
        ("名前", "field"),
    ],
)
def test_a_column_is_called_as_its_field_where_that_is_possible(key: str, column: str) -> None:
    assert learned(key) == {key: column}


@pytest.mark.parametrize("noted", ["api_", "percentage_of_turns_", "a__"])
def test_a_name_that_an_earlier_version_noted_is_read_as_dlt_wrote_it(noted: str) -> None:
    assert naming.as_dlt_wrote(noted) == POSTGRESQL.normalize_identifier(noted)
