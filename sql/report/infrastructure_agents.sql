-- The ten agents whose results of the last 30 days the infrastructure failed most surely, and one row for all agents
-- together (`everything`), always. The lower end of the interval decides.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
),

days as (
    select daily.*
    from as_of
    left join analytics.infrastructure_failures_daily as daily on daily.day between as_of.today - 29 and as_of.today
),

scopes as (
    select false as everything, agent_id, agent_name, completed, failed, timeout
    from days
    union all
    select true, null, null, completed, failed, timeout
    from days
),

counts as (
    select
        everything,
        agent_id,
        agent_name,
        cast(coalesce(sum(completed) + sum(failed) + sum(timeout), 0) as bigint) as ended_results,
        cast(coalesce(sum(failed) + sum(timeout), 0) as bigint) as failed_results
    from scopes
    group by everything, agent_id, agent_name
),

rated as (
    select
        *,
        rate(failed_results, ended_results) as share,
        wilson_low(failed_results, ended_results) as share_low,
        wilson_high(failed_results, ended_results) as share_high
    from counts
)

select everything, agent_id, agent_name, ended_results, failed_results, share, share_low, share_high
from rated
where everything or failed_results > 0
order by everything desc, share_low desc, agent_id
limit 11
