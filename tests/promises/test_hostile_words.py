"""A field of the API may have any name that our own SQL uses."""

from typing import Any

import pytest

from support.harness import NewAccount
from support.hostile_fields import words_of_our_sql

PARTS = 4  # so that a table stays below the width at which DuckDB wants more memory
NOT_NEW = {"success", "result_id"}  # the API's own, and an argument of the world's
Row = dict[str, Any]


def with_fields(where: str, row: Row, words: list[str], value: str) -> Row:
    """What changes in a row when it, or each of its runs, gets the fields that it has not."""
    more = dict.fromkeys(sorted({*words} - NOT_NEW), value)
    return more | row if where == "results" else {"runs": [more | run for run in row["runs"]]}


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("where", ["results", "runs"])
def test_fields_named_like_any_word_of_our_sql_stop_no_command(
    new_account: NewAccount, where: str, part: int
) -> None:
    account = new_account(results=12, agents=2, runs_per_result=2, in_flight=1, page_size_cap=5)
    world, words = account.world, words_of_our_sql()[part::PARTS]
    assert len(words) > 150
    for id_, row in list(world.results.items()):
        world.touchless_edit(id_, **with_fields(where, row, words, f"invented {id_}"))
    oldest, *_, other, deleted, newest = sorted(world.results)

    def sync(*options: str) -> None:
        ran = account.sync(*options)
        assert ran.code == 0, ran.err
        assert ran.json["rejected"] == 0, account.query(
            "select reason, left(raw, 300) from cekura.rejected_rows"
        )
        account.assert_equals_api()

    sync("--details", "--transcripts")
    world.touchless_edit(other, runs=[*world.results[other]["runs"], world.results[oldest]["runs"][0]])
    assert account.sync("--full").code == 0  # a run in two results is one run
    world.touchless_edit(other, runs=world.results[other]["runs"][:-1])
    world.edit(oldest, name="edited", **({words[0]: "new"} if where == "results" else {}))
    world.finish()
    world.rerun(other)
    world.delete(deleted)
    sync("--full", "--details")
    world.insert(2)
    sync("--profiles")
    world.delete(max(world.results))
    sync()
    assert account.run("erase", "--result", str(newest)).code == 0
    assert account.sync("--full").code == 0
    assert account.run("check").code == 0
