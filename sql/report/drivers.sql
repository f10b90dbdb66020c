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

-- Like new_failures.sql, by the last result if it shows that. If that has only one run of the scenario, the result before it counts as new too.
suddenly as (
    select
        *,
        row_number() over (
            partition by agent_id, scenario_key
            order by case when basis = 'last result' then 0 else 1 end
        ) as place
    from analytics.new_failures
),

sudden as (
    select
        suddenly.agent_id,
        suddenly.scenario_key,
        suddenly.verdict,
        suddenly.basis,
        suddenly.decided_runs,
        suddenly.passed_runs,
        case when count(*) < suddenly.decided_runs then 2 else 1 end as results
    from suddenly
    inner join analytics.runs as runs
        on runs.result_id = suddenly.result_id
        and runs.scenario_key = suddenly.scenario_key
    where suddenly.place = 1 and runs.passed is not null
    group by
        suddenly.agent_id,
        suddenly.scenario_key,
        suddenly.verdict,
        suddenly.basis,
        suddenly.decided_runs,
        suddenly.passed_runs
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
