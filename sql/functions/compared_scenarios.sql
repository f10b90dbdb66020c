-- One row per comparison and scenario: the runs after compared with the runs before, and the scenario's weight in the comparison.
-- Takes a relation with one row per run: comparison, is_after, scenario, passed.
-- Weights: N. Mantel and W. Haenszel, J. Natl. Cancer Inst. 22 (1959) 719; a scenario that ran on only one side has no weight.
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
),

weights as (
    select *, cast(after_runs as double) * before_runs / (after_runs + before_runs) as information
    from counts
)

select
    comparison,
    scenario,
    after_runs,
    after_passed,
    before_runs,
    before_passed,
    rate(after_passed, after_runs) as after_rate,
    rate(before_passed, before_runs) as before_rate,
    information / nullif(sum(information) over (partition by comparison), 0) as weight
from weights
