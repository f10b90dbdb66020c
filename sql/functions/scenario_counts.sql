-- One row per comparison and scenario: its runs and rates after and before, and how much they say about the difference.
-- Takes a relation with one row per run: comparison, is_after, scenario, passed.
-- information: N. Mantel and W. Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; a scenario that ran on only one side has none.
with example as (
    select 1 as comparison, true as is_after, 'a' as scenario, true as passed
    union all
    select 1 as comparison, false as is_after, 'a' as scenario, false as passed
),

counts as (
    select
        comparison,
        scenario,
        count(*) filter (where is_after) as after_runs,
        count(*) filter (where is_after and passed) as after_passed,
        count(*) filter (where not is_after) as before_runs,
        count(*) filter (where not is_after and passed) as before_passed
    from example
    where scenario is not null
    group by comparison, scenario
)

select
    *,
    rate(after_passed, after_runs) as after_rate,
    rate(before_passed, before_runs) as before_rate,
    cast(after_runs as double) * before_runs / (after_runs + before_runs) as information
from counts
