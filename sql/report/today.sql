-- One row, over all agents: the UTC day of the last sync, and the seven days before it, each up to the time of day of that sync. So a day that is
-- not over is compared with equal parts of other days. No verdict.
with as_of as (
    select coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as moment
    from analytics.sync_status
),

results as (
    select
        cast(as_of.moment as date) as today,
        results.created_on as day,
        results.decided_runs,
        results.passed_runs
    from as_of
    inner join analytics.results as results
        on results.created_on between cast(as_of.moment as date) - 7 and cast(as_of.moment as date)
        and cast(results.created_at at time zone 'UTC' as time) <= cast(as_of.moment as time)
),

sums as (
    select
        coalesce(sum(case when day = today then decided_runs end), 0) as today_decided_runs,
        coalesce(sum(case when day = today then passed_runs end), 0) as today_passed_runs,
        coalesce(sum(case when day < today then decided_runs end), 0) as week_decided_runs,
        coalesce(sum(case when day < today then passed_runs end), 0) as week_passed_runs
    from results
)

select
    (select as_of.moment from as_of) as until,
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
