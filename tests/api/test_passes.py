"""What one pass over a list without a dependable order says of itself."""

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.passes import Pass


def passed(*pages: list[int]) -> Pass:
    one = Pass()
    for page in pages:
        one.take([Row(key, None, "{}") for key in page])
    return one


def test_a_row_that_ends_a_page_and_begins_the_next_may_stand_for_another_with_its_time() -> None:
    assert passed([1, 2], [2, 3]).repeated
    assert not passed([1, 2], [3, 4]).repeated


def test_rows_that_the_list_doubles_may_be_cut_by_a_page() -> None:
    assert not passed([1, 1, 2], [2, 3, 3]).repeated
    assert passed([1, 1, 2], [2, 1, 3]).repeated
