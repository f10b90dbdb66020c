-- One row per agent and scenario that ran on either side.
-- A scenario drives the fall unless worse ones already explain all of it. One that was flaky in the baseline is marked.
with contributions as (
    select
        *,
        is_flaky(before_passed, before_runs) as flaky,
        coalesce(weight * (after_rate - before_rate), 0) as contribution
    from named_scenarios(judged_runs) as compared
),

-- Nothing here is NULL, but BigQuery needs `nulls first`.
explained as (
    select
        *,
        sum(contribution) over (partition by comparison) as difference,
        coalesce(
            sum(contribution) over (
                partition by comparison order by contribution nulls first, scenario nulls first
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as explained_by_worse,
        row_number() over (partition by comparison order by after_runs - after_passed desc, scenario) as failures_place -- most failed runs first
    from contributions
)

select
    comparison,
    scenario,
    scenario_id,
    scenario_name,
    after_runs,
    after_passed,
    after_rate,
    before_runs,
    before_passed,
    before_rate,
    weight,
    contribution,
    flaky,
    contribution < 0 and explained_by_worse > difference as drives_fall,
    failures_place
from explained
