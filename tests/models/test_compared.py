"""The one comparison of the views against statistics libraries, over a grid of days, scenarios and runs."""

from collections.abc import Iterator
from itertools import product

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm
from scipy import stats

from cekura_sync.models import functions, runner
from support.recomputed.judging import Run, judge

FUNCTIONS = functions.read(runner.models_dir() / "functions")
LEAST_RESULTS = 3
# Days after and before, how often the last days are run again, and by how much the pass rate moves.
GRID = list(product((1, 3, 7), (2, 4, 28), (0, 3), (-0.5, -0.25, 0.0, 0.5)))


def drawn(comparison: int, after: int, before: int, reruns: int, move: float) -> Iterator[Run]:
    """A run of each of four scenarios a day; the first is run again on the last days, and the last is new or gone for some."""
    rng = np.random.default_rng(comparison)
    rates = rng.uniform(0.4, 0.6, 4)
    for day in range(after + before):
        is_after = day >= before
        scenarios = [
            0,
            1,
            2,
            *([3] if is_after or comparison % 3 else []),
            *([0] * reruns if is_after else []),
        ]
        for scenario in scenarios:
            rate = np.clip(rates[scenario] + move * is_after, 0.02, 0.98)
            yield Run(is_after, day, day, str(scenario), bool(rng.random() < rate))


@pytest.fixture(scope="module")
def grid() -> dict[int, tuple[int, list[Run]]]:
    """Of each comparison: the family that it is judged with, and its runs."""
    return {number: (number % 3, list(drawn(number, *point))) for number, point in enumerate(GRID)}


def compared(comparisons: dict[int, tuple[int, list[Run]]]) -> dict[int, dict[str, object]]:
    rows = [
        (number, family, family, run.is_after, run.result, run.day, run.scenario, run.passed, LEAST_RESULTS)
        for number, (family, runs) in comparisons.items()
        for run in runs
    ]
    names = (
        "comparison",
        "family",
        "peers",
        "is_after",
        "result_id",
        "day",
        "scenario",
        "passed",
        "least_results",
    )
    with duckdb.connect() as con:
        con.register("given", pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))))
        answer = con.sql(functions.expand("select * from compared(given) as compared", FUNCTIONS))
        rows = answer.to_arrow_table().to_pylist()
    return {row["comparison"]: row | {"possible": row["possible"] or False} for row in rows}


@pytest.fixture(scope="module")
def answers(grid: dict[int, tuple[int, list[Run]]]) -> dict[int, dict[str, object]]:
    return compared(grid)


def test_every_column_is_what_scipy_and_statsmodels_make_of_the_same_runs(
    grid: dict[int, tuple[int, list[Run]]], answers: dict[int, dict[str, object]]
) -> None:
    expected = judge(dict(grid), LEAST_RESULTS)

    assert answers.keys() == expected.keys()
    for number, row in expected.items():
        difference = pytest.approx(row.pop("adjusted_difference"), abs=1e-12)
        assert answers[number] == row | {"comparison": number, "adjusted_difference": difference}, GRID[
            number
        ]


def test_the_grid_holds_every_kind_of_answer(answers: dict[int, dict[str, object]]) -> None:
    rows = answers.values()

    assert {row["verdict"] for row in rows} == {"regressed", "improved", "same", None}
    assert {row["possible"] for row in rows} == {True, False}
    assert {row["no_verdict_because"] for row in rows} == {None, "fewer than 3 results on one side"}


# Days of (runs, passed), found by search: the approximations of the interval and of the p-value disagree about 0.
EDGES = {
    "fall": ([(19, 6), (27, 18), (5, 2)], [(48, 41), (22, 17), (13, 11)]),
    "rise": ([(2, 0), (34, 24), (7, 6)], [(13, 4), (46, 9), (5, 3)]),
    "none": ([(10, 5), (10, 5), (10, 5)], [(10, 5), (10, 5), (10, 5)]),
}


@pytest.mark.parametrize("edge", EDGES)
def test_a_verdict_agrees_with_its_interval_and_a_probability_is_at_most_1(edge: str) -> None:
    runs = [
        Run(side == 0, 10 * side + day, 10 * side + day, "s", number < passed)
        for side, days in enumerate(EDGES[edge])
        for day, (count, passed) in enumerate(days)
        for number in range(count)
    ]

    (row,) = compared({0: (0, runs)}).values()

    excludes_0 = row["adjusted_low"] > 0 or row["adjusted_high"] < 0
    assert excludes_0 == (edge != "none")
    assert (row["verdict"] != "same" or row["possible"]) == excludes_0
    assert row["p_value"] <= 1


def test_the_difference_is_that_of_a_regression_with_a_level_for_each_scenario(
    grid: dict[int, tuple[int, list[Run]]], answers: dict[int, dict[str, object]]
) -> None:
    """Mantel and Haenszel's weights are those of least squares."""
    for number, (_, runs) in grid.items():
        levels = [[run.scenario == str(scenario) for scenario in range(4)] for run in runs]
        present = np.array(levels, float)[:, np.any(levels, axis=0)]
        design = np.column_stack([[run.is_after for run in runs], present])
        fitted = sm.OLS(np.array([run.passed for run in runs], float), design).fit()

        assert answers[number]["adjusted_difference"] == pytest.approx(fitted.params[0], abs=1e-9)


@pytest.mark.parametrize("degrees", [4, 5, 7.5, 12, 33, 400])
def test_students_t_agrees_with_scipy(degrees: float) -> None:
    sql = f"select student_95({degrees}), student_80({degrees})"
    t95, t80 = duckdb.sql(functions.expand(sql, FUNCTIONS)).fetchall()[0]

    assert t95 == pytest.approx(stats.t.ppf(0.975, degrees), rel=5e-4)
    assert t80 == pytest.approx(stats.t.ppf(0.8, degrees), rel=5e-4)


@pytest.mark.parametrize("z", [0, 0.3, 1, 1.96, 4, 8])
def test_the_normal_probability_agrees_with_scipy(z: float) -> None:
    (row,) = duckdb.sql(
        functions.expand(f"select normal_p({z}, 1 / (1 + {z} / sqrt(8)))", FUNCTIONS)
    ).fetchall()

    assert row[0] == pytest.approx(2 * stats.norm.sf(z), rel=2e-7)
