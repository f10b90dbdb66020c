-- The rows of compared_scenarios, each with the scenario's id, and its name in its newest run (the run with the greatest id).
-- Takes a relation with one row per run: comparison, is_after, scenario, passed, run_id, scenario_id, scenario_name.
with example as (
    select 1 as comparison, true as is_after, 'a' as scenario, true as passed, 2 as run_id, 7 as scenario_id, 'Refund' as scenario_name
    union all
    select 1, false, 'a', false, 1, 7, 'Refund'
),

compared_rates as (
    select *
    from compared_scenarios(example) as compared
),

last_named as (
    select
        comparison,
        scenario,
        max(scenario_id) as scenario_id,
        max(case when scenario_name is not null then run_id end) as run_id
    from example
    group by comparison, scenario
),

names as (
    select last_named.comparison, last_named.scenario, last_named.scenario_id, example.scenario_name
    from last_named
    left join example on example.run_id = last_named.run_id and example.comparison = last_named.comparison
)

select compared_rates.*, names.scenario_id, names.scenario_name
from compared_rates
left join names on names.comparison = compared_rates.comparison and names.scenario = compared_rates.scenario
