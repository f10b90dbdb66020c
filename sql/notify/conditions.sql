-- One row per condition that is reported once: an agent got worse, a scenario newly fails, runs are lost to the infrastructure, a result is stuck.
-- It is reported when to_tell is true. It can be reported again after is_over was true, or recovered.sql had it.
with newest as (
    select max(created_at) as last_at
    from analytics.results
    where created_at <= current_timestamp
),

losses as (
    select
        results.agent_id,
        sum(case when results.status_group = 'completed' then results.lost_runs else results.runs end) as lost_runs,
        sum(results.runs) as runs
    from analytics.results as results
    inner join newest on results.created_at > newest.last_at - interval '24 hours' and results.created_at <= newest.last_at
    where results.status_group in ('completed', 'infrastructure_failure')
    group by results.agent_id
),

failures as (
    select
        *,
        row_number() over (partition by agent_id, scenario_key order by basis) as place
    from analytics.new_failures
    where verdict = 'newly failing'
)

select
    'regressed' as kind,
    coalesce(cast(agent_id as varchar), '-') as subject,
    true as to_tell,
    false as is_over,
    agent_id,
    agent_name,
    cast(null as varchar) as scenario_name,
    cast(null as bigint) as result_id,
    cast(null as bigint) as run_id,
    previous_pass_rate as rate_before,
    pass_rate as rate,
    cast(decided_runs as bigint) as runs,
    cast(null as timestamptz) as since
from analytics.agent_last_week
where verdict = 'regressed'
union all
select
    'newly failing',
    coalesce(cast(agent_id as varchar), '-') || ' ' || md5(scenario_key), -- hashed, because it may be a name, and no name may outlive its result
    true,
    false,
    agent_id,
    agent_name,
    coalesce(scenario_name, scenario_key),
    result_id,
    run_id,
    previous_pass_rate,
    pass_rate,
    cast(decided_runs as bigint),
    created_at
from failures
where place = 1
union all
-- A loss is reported from 20 % of at least 10 runs, and forgotten below 10 %, so that one that sways about a limit is reported once.
select
    'runs lost',
    coalesce(cast(losses.agent_id as varchar), '-'),
    rate(losses.lost_runs, losses.runs) >= 0.2 and losses.lost_runs >= 10,
    rate(losses.lost_runs, losses.runs) < 0.1,
    losses.agent_id,
    agents.agent_name,
    cast(null as varchar),
    cast(null as bigint),
    cast(null as bigint),
    cast(null as double),
    rate(losses.lost_runs, losses.runs),
    cast(losses.runs as bigint),
    cast(null as timestamptz)
from losses
inner join analytics.agents as agents on agents.agent_id is not distinct from losses.agent_id
where losses.runs > 0
union all
select
    'stuck',
    cast(result_id as varchar),
    true,
    false,
    agent_id,
    agent_name,
    cast(null as varchar),
    result_id,
    cast(null as bigint),
    cast(null as double),
    cast(null as double),
    cast(null as bigint),
    in_flight_since
from analytics.stuck_results
order by kind, subject
