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

-- x failures of n results, z for 95 %: the letters of the interval's formula.
counts as (
    select
        everything,
        agent_id,
        agent_name,
        cast(coalesce(sum(completed) + sum(failed) + sum(timeout), 0) as bigint) as ended_results,
        cast(coalesce(sum(failed) + sum(timeout), 0) as bigint) as failed_results,
        cast(coalesce(sum(failed) + sum(timeout), 0) as double) as x,
        nullif(cast(sum(completed) + sum(failed) + sum(timeout) as double), 0) as n,
        cast(1.959963984540054 as double) as z
    from scopes
    group by everything, agent_id, agent_name
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        x / n as share,
        (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as share_low,
        1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as share_high
    from counts
)

select everything, agent_id, agent_name, ended_results, failed_results, share, share_low, share_high
from rated
where everything or failed_results > 0
order by everything desc, share_low desc, agent_id
limit 11
