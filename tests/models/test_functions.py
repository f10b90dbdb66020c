"""The formulas of sql/functions/: written once, called in the views, written out when a view is built."""

import subprocess
from pathlib import Path

import duckdb
import pytest

from cekura_sync.errors import ModelError
from cekura_sync.models import functions, runner
from cekura_sync.models.runner import Model
from support.drivers import VERSIONS, python_with

FUNCTIONS = runner.read_models(runner.models_dir() / "functions")
GIVEN = {
    "part_of.sql": "-- Part of a whole.\nwith example as (\n    select cast(8 as double) as part, cast(10 as double) as whole\n)\n\nselect part / whole as part_of -- not whole(part)\nfrom example\n",
    "half.sql": "-- Half.\nselect cast(0.5 as double) as half\n",
    "half_of.sql": "with example as (\n    select cast(1 as double) as n\n)\n\nselect half() * part_of(n, 1) as half_of\nfrom example\n",
    "said.sql": "with example as (\n    select cast('x' as varchar) as n\n)\n\nselect 'n is ' || n as said\nfrom example\n",
}

# A part, a column and a text are called `results`.
DOUBLED = """
with example as (
    select 1 as n
),

results as (
    select n as results, 'from results, results.n' as said
    from example
),

days as (
    select example.n + results.results as days, said
    from example
    inner join results on results.results = example.n
)

select days, said
from days
"""


@pytest.fixture
def given(tmp_path: Path) -> dict[str, functions.Function]:
    for name, sql in GIVEN.items():
        (tmp_path / name).write_text(sql)
    return functions.read(tmp_path)


def value_of(sql: str) -> object:
    (row,) = duckdb.sql(sql).fetchall()
    return row[0]


@pytest.mark.parametrize("model", FUNCTIONS, ids=lambda model: model.name)
def test_every_function_answers_its_own_example(model: Model) -> None:
    answer = duckdb.sql(model.query)

    assert answer.columns == [model.name] or "with example as" in model.sql
    assert [row for row in answer.fetchall() if any(value is not None for value in row)]
    assert model.meaning


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select part_of(1, 4)", 0.25),
        ("select 2 * part_of(1 + 1, 5 - 1)", 1.0),
        ("select 1 / part_of(1, 4)", 4.0),
        ("select part_of(part_of(1, 2), part_of(1, 4))", 2.0),
        ("select part_of(greatest(1, 2), 4 /* whole */)", 0.5),
        ("select part_of(1, -- a part, (of\n4)", 0.25),
        ("select half_of(half())", 0.25),
        ("select half() * 2", 1.0),
        ("select 'part_of(1, 2)' -- part_of(1)", "part_of(1, 2)"),
        ("select said('n, (' || part) from (select 'z' as part)", "n is n, (z"),
        ("select part_of from (select 7 as part_of)", 7),
    ],
)
def test_a_call_stands_for_its_formula(
    given: dict[str, functions.Function], sql: str, expected: object
) -> None:
    assert value_of(functions.expand(sql, given)) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select part_of(1)", r"part_of takes 2 arguments \(part, whole\), not 1"),
        ("select half(1)", r"half takes 0 arguments \(\), not 1"),
        ("select part_of(1, (2)", r"part_of\(… has no closing bracket"),
    ],
)
def test_a_wrong_call_is_an_error_in_a_sentence(
    given: dict[str, functions.Function], sql: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        functions.expand(sql, given)


def test_a_file_that_is_not_a_function_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.sql").write_text("select 1 as another")

    with pytest.raises(ModelError, match=r"wrong\.sql is not a function: it must be `select … as wrong`"):
        functions.read(tmp_path)


def test_a_wrong_call_in_a_view_names_its_file(tmp_path: Path) -> None:
    model = Model(tmp_path / "a.sql", "select rate(1) as n")

    with pytest.raises(ModelError, match=r"a\.sql: rate takes 2 arguments"):
        assert model.query


@pytest.mark.parametrize("version", VERSIONS)
def test_a_view_may_name_a_part_as_a_function_names_one_of_its_own(tmp_path: Path, version: str) -> None:
    """Before 1.4, DuckDB takes the function's part for the view's: `given` would select from itself."""
    (tmp_path / "doubled.sql").write_text(DOUBLED)
    view = "with results as (select 4 as n), given as (select n from results) select * from doubled(given)"

    query = functions.expand(view, functions.read(tmp_path))

    printing = f"import duckdb; print(duckdb.sql({query!r}).fetchall())"
    printed = subprocess.run(
        [python_with(version), "-c", printing], capture_output=True, text=True, check=False
    )
    assert printed.stdout.strip() == "[(8, 'from results, results.n')]", printed.stderr
