-- One row: the UTC day of the last sync, and the seven days before it, over all agents. No verdict: a day that is not over holds
-- other runs than a whole one.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
),

sums as (
    select
        coalesce(sum(case when daily.day = as_of.today then daily.decided_runs end), 0) as today_decided_runs,
        coalesce(sum(case when daily.day = as_of.today then daily.passed_runs end), 0) as today_passed_runs,
        coalesce(sum(case when daily.day < as_of.today then daily.decided_runs end), 0) as week_decided_runs,
        coalesce(sum(case when daily.day < as_of.today then daily.passed_runs end), 0) as week_passed_runs
    from as_of
    left join analytics.agent_daily as daily on daily.day between as_of.today - 7 and as_of.today
)

select
    cast(today_decided_runs as bigint) as today_decided_runs,
    cast(today_passed_runs as bigint) as today_passed_runs,
    rate(today_passed_runs, today_decided_runs) as today_pass_rate,
    wilson_low(today_passed_runs, today_decided_runs) as today_low,
    wilson_high(today_passed_runs, today_decided_runs) as today_high,
    cast(week_decided_runs as bigint) as week_decided_runs,
    cast(week_passed_runs as bigint) as week_passed_runs,
    rate(week_passed_runs, week_decided_runs) as week_pass_rate,
    wilson_low(week_passed_runs, week_decided_runs) as week_low,
    wilson_high(week_passed_runs, week_decided_runs) as week_high
from sums
