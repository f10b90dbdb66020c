"""What one pass over a list without a dependable order says of itself."""

from cekura_sync.api.decode_rows import Row
from cekura_sync.api.passes import Pass


def passed(*pages: list[int], doubled: set[int | str] | None = None) -> Pass:
    one = Pass(set() if doubled is None else doubled)
    for page in pages:
        one.take([Row(key, None, "{}") for key in page])
    return one


def test_a_row_that_ends_a_page_and_begins_the_next_may_stand_for_another_with_its_time() -> None:
    assert passed([1, 2], [2, 3]).repeated
    assert passed([1, 1, 2], [2, 3, 3]).repeated  # that the list doubles others says nothing of this one
    assert not passed([1, 2], [3, 4]).repeated


def test_a_row_that_the_list_doubles_may_be_cut_by_a_page() -> None:
    doubled: set[int | str] = set()
    assert passed([1, 1, 2], [2, 3, 3], doubled=doubled).repeated  # nothing shows yet that 2 is one of them

    again = passed([1, 1], [2, 2], [3, 3], doubled=doubled)
    once_more = passed([1, 1, 2], [2, 3, 3], doubled=doubled)

    assert not again.repeated
    assert not once_more.repeated
    assert again.sequence == once_more.sequence == [1, 2, 3]
    assert passed([1, 1, 2], [2, 1, 3], doubled=doubled).repeated
