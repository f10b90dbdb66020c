"""`--models DIR`: comments in the team's own views, at every place where SQL allows one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.harness import Account


@pytest.fixture
def account(new_synced: Callable[..., Account]) -> Account:
    return new_synced(results=40, runs_per_result=2)


# Each with the comments that its columns get.
COMMENTED = {
    "case": (
        "select\n case\n  when true then 1 -- done\n  else 0 -- other\n end as flag, -- f\n 2 as n",
        {"flag": "f", "n": None},
    ),
    "call": ("select\n coalesce(\n  agent_name, -- first\n  'x' -- else\n ) as nm -- the name\nfrom analytics.results", {"nm": "the name"}),
    "sum": ("select\n 1 -- one\n + agent_id -- and\n * 2 as n -- in all\nfrom analytics.results", {"n": "in all"}),
    "window": (
        "select agent_id, -- id\n row_number() over (partition by agent_id, -- per agent\n  status -- and status\n ) as rn\nfrom analytics.results",
        {"agent_id": "id", "rn": None},
    ),
    "quoted": ("""select 1 as "a -- b", -- both\n 2 as "agent-name", -- its name\n 3 as "it's" -- ours""", {"a -- b": "both", "agent-name": "its name", "it's": "ours"}),
    "indented": ("  select 1 as a, -- one\n    2 as b -- two\n  from\n    analytics.results", {"a": "one", "b": "two"}),
    "commas_first": ("select\n  1 as a -- one\n  , 2 as b -- two\n  -- a thought\n  , 3 as c", {"a": "one", "b": "two", "c": None}),
    "texts": ("select 'a\nfoo, -- bar' as s, -- txt\n $$x, -- y\n$$ as k, e'\\', -- z' as e -- ee\n", {"s": "txt", "k": None, "e": "ee"}),
    "inner": ("with t as (\nselect\n  1 as a, -- inner\n  2 as b\n)\nselect b, -- outer\n a is distinct from b as c -- whether\nfrom t", {"b": "outer", "c": "whether"}),
    "union": ("select 1 as a -- first\nunion all\nselect 2 as b -- second", {"a": "first"}),
    "from_first": ("from analytics.results select *, -- all\n agent_id as order -- place", {"order": "place"}),
    "after_texts": ("select 'x -- y' as x, /* don't */ n -- how many\nfrom team.z_number", {"x": None, "n": "how many"}),
    "z_number": ("select rate(1, 2) as n /* isn't it? */ -- half", {"n": "half"}),
    "block": ("/* doesn't fail */ select rate(1, 2) as n, /* one */ -- two\n 1 as m; -- end", {"n": "two", "m": "end"}),
}  # fmt: skip


@pytest.mark.long
def test_a_comment_anywhere_leaves_no_view_out_and_one_after_a_column_is_its_own(
    account: Account, tmp_path: Path
) -> None:
    for name, (sql, _) in COMMENTED.items():
        (tmp_path / f"{name}.sql").write_text(sql)

    ran = account.sync("--models", str(tmp_path))

    assert (ran.code, ran.err) == (0, "")
    for name, (_, expected) in COMMENTED.items():
        found = account.query(
            f"select column_name, comment from duckdb_columns() where schema_name = 'team' and table_name = '{name}'"
        )
        told = dict(found)
        assert {column: told[column] for column in expected} == expected, name
        assert {column for column, comment in found if comment} <= {*expected}, name
