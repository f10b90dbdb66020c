-- One row per agent with runs decided today, and one for all agents together (`everything`), always:
-- the UTC day of the last sync against the seven days before it. Regressed ones first, then by difference.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
),

days as (
    select
        daily.agent_id,
        daily.agent_name,
        daily.day = as_of.today as is_today,
        daily.completed_results,
        daily.decided_runs,
        daily.passed_runs
    from as_of
    left join analytics.agent_daily as daily on daily.day between as_of.today - 7 and as_of.today
),

scopes as (
    select false as everything, agent_id, agent_name, is_today, completed_results, decided_runs, passed_runs
    from days
    union all
    select true, null, null, is_today, completed_results, decided_runs, passed_runs
    from days
),

sums as (
    select
        everything,
        agent_id,
        agent_name,
        cast(coalesce(sum(case when is_today then completed_results end), 0) as bigint) as today_results,
        cast(coalesce(sum(case when is_today then decided_runs end), 0) as bigint) as today_decided_runs,
        cast(coalesce(sum(case when is_today then passed_runs end), 0) as bigint) as today_passed_runs,
        cast(coalesce(sum(case when not is_today then completed_results end), 0) as bigint) as week_results,
        cast(coalesce(sum(case when not is_today then decided_runs end), 0) as bigint) as week_decided_runs,
        cast(coalesce(sum(case when not is_today then passed_runs end), 0) as bigint) as week_passed_runs
    from scopes
    group by everything, agent_id, agent_name
),

compared as (
    select
        *,
        rate(today_passed_runs, today_decided_runs) - rate(week_passed_runs, week_decided_runs) as difference,
        newcombe_low(today_passed_runs, today_decided_runs, week_passed_runs, week_decided_runs)
            as difference_low,
        newcombe_high(today_passed_runs, today_decided_runs, week_passed_runs, week_decided_runs)
            as difference_high
    from sums
)

select
    everything,
    agent_id,
    agent_name,
    today_results,
    today_decided_runs,
    today_passed_runs,
    rate(today_passed_runs, today_decided_runs) as today_pass_rate,
    wilson_low(today_passed_runs, today_decided_runs) as today_low,
    wilson_high(today_passed_runs, today_decided_runs) as today_high,
    week_results,
    week_decided_runs,
    week_passed_runs,
    rate(week_passed_runs, week_decided_runs) as week_pass_rate,
    wilson_low(week_passed_runs, week_decided_runs) as week_low,
    wilson_high(week_passed_runs, week_decided_runs) as week_high,
    difference,
    difference_low,
    difference_high,
    verdict(difference_low, difference_high) as verdict
from compared
where everything or today_decided_runs > 0
order by everything desc, case when difference_high < 0 then 0 else 1 end, difference, agent_id
