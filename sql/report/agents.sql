-- One row per agent: its rate, its last 7 days against the 28 before them, and its place on the page. `today` counts to the 7.
-- Places: agents with a result in the last 30 days first, of these the regressed ones, worst first, then the most tested.
with as_of as (
    select
        coalesce(last_sync_at, current_timestamp) as moment,
        cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
),

sums as (
    select
        daily.agent_id,
        sum(case when daily.day > as_of.today - 7 then daily.decided_runs else 0 end) as recent_decided_runs,
        sum(case when daily.day > as_of.today - 7 then daily.passed_runs else 0 end) as recent_passed_runs,
        sum(case when daily.day <= as_of.today - 7 then daily.decided_runs else 0 end) as previous_decided_runs,
        sum(case when daily.day <= as_of.today - 7 then daily.passed_runs else 0 end) as previous_passed_runs
    from analytics.agent_daily as daily
    inner join as_of on daily.day between as_of.today - 34 and as_of.today
    group by daily.agent_id
),

-- x passes of n, z for 95 %; 1 is the last 7 days, 2 the 28 before them.
counts as (
    select
        *,
        cast(recent_passed_runs as double) as x1,
        nullif(cast(recent_decided_runs as double), 0) as n1,
        cast(previous_passed_runs as double) as x2,
        nullif(cast(previous_decided_runs as double), 0) as n2,
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
),

judged as (
    select
        *,
        case
            when difference_low > 0 then 'improved'
            when difference_high < 0 then 'regressed'
            when difference is not null then 'same'
        end as verdict
    from compared
),

agents as (
    select
        rates.agent_id,
        rates.agent_name,
        rates.completed_results,
        rates.decided_runs,
        rates.passed_runs,
        rates.pass_rate,
        rates.pass_rate_low,
        rates.pass_rate_high,
        rates.last_result_at,
        coalesce(rates.last_result_at >= as_of.moment - interval '30 days', false) as active,
        cast(coalesce(judged.recent_decided_runs, 0) as bigint) as recent_decided_runs,
        cast(coalesce(judged.recent_passed_runs, 0) as bigint) as recent_passed_runs,
        judged.p1 as recent_pass_rate,
        cast(coalesce(judged.previous_decided_runs, 0) as bigint) as previous_decided_runs,
        cast(coalesce(judged.previous_passed_runs, 0) as bigint) as previous_passed_runs,
        judged.p2 as previous_pass_rate,
        judged.difference,
        judged.difference_low,
        judged.difference_high,
        judged.verdict,
        latest.recent_pass_rate as latest_pass_rate,
        latest.verdict as latest_verdict
    from analytics.agent_pass_rate as rates
    cross join as_of
    inner join analytics.agent_regressions as latest on latest.agent_id is not distinct from rates.agent_id
    left join judged on judged.agent_id is not distinct from rates.agent_id
)

select
    *,
    row_number() over (
        order by
            case when active then 0 else 1 end,
            case when verdict = 'regressed' then 0 else 1 end,
            case when verdict = 'regressed' then difference end,
            decided_runs desc,
            agent_id
    ) as place
from agents
order by place
