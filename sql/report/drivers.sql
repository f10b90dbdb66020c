-- One row per agent and scenario: the three scenarios that contributed most to the change of its last week, each at least a tenth of it; the strongest first.
-- Each with its newest failed run of the last week as an example.
with scenarios as (
    select *, sum(contribution) over (partition by agent_id) as adjusted_difference
    from analytics.agent_last_week_scenarios
    where contribution <> 0
),

ranked as (
    select
        *,
        row_number() over (partition by agent_id order by abs(contribution) desc, scenario_key) as place
    from scenarios
    where contribution / nullif(adjusted_difference, 0) >= 0.1
),

drivers as (
    select *
    from ranked
    where place <= 3
),

failed as (
    select
        runs.agent_id,
        runs.scenario_key,
        runs.run_id,
        runs.result_id,
        runs.project_id,
        row_number() over (
            partition by runs.agent_id, runs.scenario_key order by runs.created_at desc, runs.run_id desc
        ) as place
    from analytics.agent_last_week_results as results
    inner join analytics.runs as runs on runs.result_id = results.result_id
    where results.of_last_week and not runs.passed
),

-- A scenario can be new by the last result and by the week: then the last result is told.
by_basis as (
    select
        *,
        row_number() over (
            partition by agent_id, scenario_key
            order by case when basis = 'last result' then 0 else 1 end
        ) as place
    from analytics.new_failures
),

-- Where the last result has one run of the scenario, new_failures.sql also looks at the result before it: these are two results.
sudden as (
    select
        by_basis.agent_id,
        by_basis.scenario_key,
        by_basis.verdict,
        by_basis.basis,
        by_basis.decided_runs,
        by_basis.passed_runs,
        case when count(*) < by_basis.decided_runs then 2 else 1 end as results
    from by_basis
    inner join analytics.runs as runs
        on runs.result_id = by_basis.result_id
        and runs.scenario_key = by_basis.scenario_key
    where by_basis.place = 1 and runs.passed is not null
    group by
        by_basis.agent_id,
        by_basis.scenario_key,
        by_basis.verdict,
        by_basis.basis,
        by_basis.decided_runs,
        by_basis.passed_runs
)

select
    drivers.agent_id,
    drivers.place,
    drivers.scenario_id,
    drivers.scenario_name,
    drivers.decided_runs as recent_decided_runs,
    drivers.pass_rate as recent_pass_rate,
    drivers.previous_decided_runs,
    drivers.previous_pass_rate,
    drivers.contribution,
    sudden.verdict as sudden,
    sudden.basis as sudden_basis,
    sudden.decided_runs as sudden_decided_runs,
    sudden.passed_runs as sudden_passed_runs,
    sudden.results as sudden_results,
    failed.result_id,
    failed.run_id,
    failed.project_id
from drivers
left join sudden
    on sudden.agent_id is not distinct from drivers.agent_id
    and sudden.scenario_key is not distinct from drivers.scenario_key
left join failed
    on failed.agent_id is not distinct from drivers.agent_id
    and failed.scenario_key is not distinct from drivers.scenario_key
    and failed.place = 1
order by drivers.agent_id, drivers.place
