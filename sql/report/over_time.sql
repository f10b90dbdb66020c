-- One row per agent and period: days if the decided runs of the last two years span less than six weeks, otherwise weeks.
-- With the Wilson 95 % interval, and the rate of all these periods together (`shown_`); periods without decided runs have rates NULL.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
),

days as (
    select daily.agent_id, daily.day, daily.decided_runs, daily.passed_runs
    from analytics.agent_daily as daily
    inner join as_of on daily.day between as_of.today - 729 and as_of.today
),

units as (
    select case when max(day) - min(day) < 42 then 'day' else 'week' end as unit
    from days
    where decided_runs > 0
),

periods as (
    select days.agent_id, units.unit, days.day as period, days.decided_runs, days.passed_runs
    from days
    cross join units
    where units.unit = 'day'
    union all
    select weekly.agent_id, units.unit, weekly.week, weekly.decided_runs, weekly.passed_runs
    from analytics.agent_weekly as weekly
    inner join as_of on weekly.week between as_of.today - 729 and as_of.today
    cross join units
    where units.unit = 'week'
)

select
    agent_id,
    unit,
    period,
    decided_runs,
    passed_runs,
    rate(passed_runs, decided_runs) as pass_rate,
    wilson_low(passed_runs, decided_runs) as pass_rate_low,
    wilson_high(passed_runs, decided_runs) as pass_rate_high,
    cast(sum(decided_runs) over (partition by agent_id) as bigint) as shown_decided_runs,
    rate(sum(passed_runs) over (partition by agent_id), sum(decided_runs) over (partition by agent_id)) as shown_pass_rate
from periods
order by agent_id, period
