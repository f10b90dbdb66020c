-- One row per agent and period: days while the last two years hold less than six weeks of decided runs, else weeks.
-- With the Wilson 95 % interval; periods in which nothing was decided are there, with rates NULL.
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
),

-- x passes of n, z for 95 %: the letters of the interval's formula.
counts as (
    select
        *,
        cast(passed_runs as double) as x,
        nullif(cast(decided_runs as double), 0) as n,
        cast(1.959963984540054 as double) as z
    from periods
)

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
select
    agent_id,
    unit,
    period,
    decided_runs,
    passed_runs,
    x / n as pass_rate,
    (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as pass_rate_low,
    1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as pass_rate_high
from counts
order by agent_id, period
