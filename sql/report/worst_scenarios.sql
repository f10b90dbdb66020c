-- The ten scenarios of the last 30 days that are most surely bad: the upper end of the interval decides, so that one failure
-- of one run is not the worst of all. Only scenarios that an agent failed at least once.
with as_of as (
    select coalesce(last_sync_at, current_timestamp) as moment
    from analytics.sync_status
),

sums as (
    select
        runs.agent_id,
        runs.scenario_key,
        count(*) as decided_runs,
        count(*) filter (where runs.passed) as passed_runs
    from analytics.runs as runs
    inner join as_of on runs.created_at >= as_of.moment - interval '30 days'
    where runs.result_status_group = 'completed' and runs.passed is not null
    group by runs.agent_id, runs.scenario_key
),

rated as (
    select
        *,
        rate(passed_runs, decided_runs) as pass_rate,
        wilson_low(passed_runs, decided_runs) as pass_rate_low,
        wilson_high(passed_runs, decided_runs) as pass_rate_high
    from sums
    where passed_runs < decided_runs
)

select
    rated.agent_id,
    names.agent_name,
    names.scenario_id,
    names.scenario_name,
    rated.decided_runs,
    rated.passed_runs,
    rated.pass_rate,
    rated.pass_rate_low,
    rated.pass_rate_high
from rated
inner join analytics.scenario_pass_rate as names
    on names.agent_id is not distinct from rated.agent_id
    and names.scenario_key is not distinct from rated.scenario_key
order by rated.pass_rate_high, rated.agent_id, rated.scenario_key
limit 10
