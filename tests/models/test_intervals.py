"""The intervals of the views against a statistics library, over a grid with every awkward corner."""

from itertools import product

import pytest
from statsmodels.stats.proportion import proportion_confint

from cekura_sync.models import runner
from support.base import Base

RUNS = (1, 2, 3, 7, 10, 48, 2511)
SHARES = (0, 0.03, 0.5, 0.9, 1)
COUNTS = sorted({(round(share * runs), runs) for share, runs in product(SHARES, RUNS)})
PAIRS = list(product(COUNTS, COUNTS))
GIVEN = """
    insert into cekura.results by name
    select id, 'Nightly' as name, agent, 'completed' as status, false as run_as_text, rate as success_rate,
        runs as total_runs_count, version as agent_version, moment as created_at, moment as synced_at
    from (select unnest($1::bigint[]) as id, unnest($2::bigint[]) as agent, unnest($3::double[]) as rate,
        unnest($4::bigint[]) as runs, unnest($5::varchar[]) as version, unnest($6::timestamptz[]) as moment)
"""
RATES = """
    select * from (
        select passed_runs, decided_runs, pass_rate_low, pass_rate_high from analytics.agent_pass_rate
        union all
        select passed_runs, decided_runs, pass_rate_low, pass_rate_high from analytics.agent_version_pass_rate
        union all
        select passed_runs, decided_runs, pass_rate_low, pass_rate_high from analytics.agent_segments
        union all
        select passed_runs, decided_runs, pass_rate_low, pass_rate_high from analytics.agent_daily
        where decided_runs > 0
        union all
        select passed_runs, decided_runs, pass_rate_low, pass_rate_high from analytics.agent_weekly
    )
"""


@pytest.fixture(scope="module")
def base() -> Base:
    """Each pair of counts is an agent of its own: a result in a version, and one a week later in the next."""
    base = Base()
    runner.build(base.con)
    rows = [
        (2 * agent + side, agent, passed / runs, runs, f"v{side}", f"2024-03-{4 + 7 * side:02} 12:00:00+00")
        for agent, pair in enumerate(PAIRS)
        for side, (passed, runs) in enumerate(reversed(pair))
    ]
    base.con.execute(GIVEN, [list(column) for column in zip(*rows, strict=True)])
    base.change("2024-03-11 12:00:00+00", agent=None)
    return base


def test_the_interval_of_a_rate_is_wilsons(base: Base) -> None:
    rows = base.rows(RATES)

    assert {(passed, runs) for passed, runs, *_ in rows} >= set(COUNTS)
    for passed, runs, *interval in rows:
        expected = proportion_confint(passed, runs, alpha=0.05, method="wilson")
        assert interval == pytest.approx(expected, rel=1e-9, abs=1e-12), (passed, runs)
