-- One row per comparison and scenario: the runs after compared with the runs before, and the scenario's weight in the comparison.
-- Takes a relation with one row per run: comparison, is_after, scenario, passed.
with example as (
    select 1 as comparison, true as is_after, 'a' as scenario, true as passed
    union all
    select 1 as comparison, false as is_after, 'a' as scenario, false as passed
),

counts as (
    select *
    from scenario_counts(example) as counted
)

select
    comparison,
    scenario,
    after_runs,
    after_passed,
    before_runs,
    before_passed,
    after_rate,
    before_rate,
    information / nullif(sum(information) over (partition by comparison), 0) as weight
from counts
