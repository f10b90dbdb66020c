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

-- x passes of n, z for 95 %; 1 is today, 2 the week before it.
counts as (
    select
        *,
        cast(today_passed_runs as double) as x1,
        nullif(cast(today_decided_runs as double), 0) as n1,
        cast(week_passed_runs as double) as x2,
        nullif(cast(week_decided_runs as double), 0) as n2,
        cast(1.959963984540054 as double) as z
    from sums
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        x1 / n1 as p1,
        (x1 + z * z / 2 - z * sqrt(x1 * (n1 - x1) / n1 + z * z / 4)) / (n1 + z * z) as low1,
        1 - (n1 - x1 + z * z / 2 - z * sqrt(x1 * (n1 - x1) / n1 + z * z / 4)) / (n1 + z * z) as high1,
        x2 / n2 as p2,
        (x2 + z * z / 2 - z * sqrt(x2 * (n2 - x2) / n2 + z * z / 4)) / (n2 + z * z) as low2,
        1 - (n2 - x2 + z * z / 2 - z * sqrt(x2 * (n2 - x2) / n2 + z * z / 4)) / (n2 + z * z) as high2
    from counts
),

-- The difference of two proportions: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
compared as (
    select
        *,
        p1 - p2 as difference,
        p1 - p2 - sqrt((p1 - low1) * (p1 - low1) + (high2 - p2) * (high2 - p2)) as difference_low,
        p1 - p2 + sqrt((high1 - p1) * (high1 - p1) + (p2 - low2) * (p2 - low2)) as difference_high
    from rated
)

select
    everything,
    agent_id,
    agent_name,
    today_results,
    today_decided_runs,
    today_passed_runs,
    p1 as today_pass_rate,
    low1 as today_low,
    high1 as today_high,
    week_results,
    week_decided_runs,
    week_passed_runs,
    p2 as week_pass_rate,
    low2 as week_low,
    high2 as week_high,
    difference,
    difference_low,
    difference_high,
    case
        when difference_low > 0 then 'improved'
        when difference_high < 0 then 'regressed'
        when difference is not null then 'same'
    end as verdict
from compared
where everything or today_decided_runs > 0
order by everything desc, case when difference_high < 0 then 0 else 1 end, difference, agent_id
