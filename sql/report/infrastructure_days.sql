-- One row per UTC day of the last 30 on which a result ended: how many of them the infrastructure failed, over all agents.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
)

select
    daily.day,
    cast(sum(daily.completed) as bigint) as completed,
    cast(sum(daily.failed) as bigint) as failed,
    cast(sum(daily.timeout) as bigint) as timeout,
    cast(sum(daily.cancelled) as bigint) as cancelled,
    cast(sum(daily.failed) + sum(daily.timeout) as bigint) as lost,
    cast(sum(daily.failed) + sum(daily.timeout) as double)
        / nullif(sum(daily.completed) + sum(daily.failed) + sum(daily.timeout), 0) as share
from analytics.infrastructure_failures_daily as daily
inner join as_of on daily.day between as_of.today - 29 and as_of.today
group by daily.day
order by daily.day
