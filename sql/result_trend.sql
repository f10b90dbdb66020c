-- One row per completed result, compared with up to 10 results before it that have decided runs and the same agent, name and channel.
-- Only results of the newest 35 days have a verdict. It compares runs of the same scenarios and is corrected for the number of results of the same UTC day.
with completed as (
    select
        result_id, result_name, agent_id, agent_name, channel, created_at, created_on, decided_runs, passed_runs,
        coalesce(decided_runs, 0) > 0 as comparable
    from analytics.results
    where status_group = 'completed'
),

moments as (
    select created_at, created_on
    from analytics.live_results
    where status_group = 'completed'
),

newest as (
    select last_day
    from newest_day(moments) as newest
),

-- Each result with the ten before it; results without a time come last. No other time is NULL, but BigQuery needs `nulls first`.
placed as (
    select
        completed.result_id,
        completed.result_name,
        completed.agent_id,
        completed.agent_name,
        completed.channel,
        completed.created_at,
        completed.created_on,
        completed.decided_runs,
        completed.passed_runs,
        completed.comparable,
        completed.created_on between newest.last_day - 34 and newest.last_day as judged,
        lag(completed.result_id) over by_time as previous_result_id,
        lag(completed.result_id, 2) over by_time as previous_2,
        lag(completed.result_id, 3) over by_time as previous_3,
        lag(completed.result_id, 4) over by_time as previous_4,
        lag(completed.result_id, 5) over by_time as previous_5,
        lag(completed.result_id, 6) over by_time as previous_6,
        lag(completed.result_id, 7) over by_time as previous_7,
        lag(completed.result_id, 8) over by_time as previous_8,
        lag(completed.result_id, 9) over by_time as previous_9,
        lag(completed.result_id, 10) over by_time as previous_10,
        count(*) over ten_before as previous_results,
        sum(completed.decided_runs) over ten_before as previous_decided_runs,
        sum(completed.passed_runs) over ten_before as previous_passed_runs
    from completed
    cross join newest
    window
        by_time as (
            partition by completed.agent_id, completed.result_name, completed.channel, completed.comparable
            order by
                case when completed.created_at is null then 1 else 0 end nulls first,
                completed.created_at nulls first,
                completed.result_id nulls first
        ),
        ten_before as (
            partition by completed.agent_id, completed.result_name, completed.channel, completed.comparable
            order by
                case when completed.created_at is null then 1 else 0 end nulls first,
                completed.created_at nulls first,
                completed.result_id nulls first
            rows between 10 preceding and 1 preceding
        )
),

distances as (
    select 0 as distance
    union all select 1 union all select 2 union all select 3 union all select 4 union all select 5
    union all select 6 union all select 7 union all select 8 union all select 9 union all select 10
),

pairs as (
    select
        placed.result_id as comparison,
        placed.created_on as family,
        distances.distance = 0 as is_after,
        case distances.distance
            when 0 then result_id
            when 1 then previous_result_id
            when 2 then previous_2
            when 3 then previous_3
            when 4 then previous_4
            when 5 then previous_5
            when 6 then previous_6
            when 7 then previous_7
            when 8 then previous_8
            when 9 then previous_9
            when 10 then previous_10
        end as result_id
    from placed
    cross join distances
    where placed.comparable and placed.judged
),

-- A number for each scenario: quicker to compare than a text.
scenarios as (
    select scenario as scenario_id, case when scenario is null then not_blank(scenario_name) end as scenario_name
    from cekura.runs
    group by scenario, case when scenario is null then not_blank(scenario_name) end
),

numbered as (
    select
        scenario_key(scenario_id, scenario_name) as scenario_key,
        row_number() over (order by scenario_id, scenario_name) as number
    from scenarios
),

runs as (
    select
        pairs.comparison,
        pairs.family,
        pairs.comparison as peers, -- results of one day have earlier results in common
        pairs.is_after,
        pairs.result_id,
        pairs.result_id as day,
        numbered.number as scenario,
        runs.passed,
        1 as least_results
    from pairs
    inner join analytics.runs as runs on runs.result_id = pairs.result_id
    left join numbered on numbered.scenario_key = runs.scenario_key
    where runs.passed is not null
),

comparisons as (
    select *
    from compared(runs) as compared
),

rated as (
    select
        *,
        rate(passed_runs, decided_runs) as pass_rate,
        case when comparable then rate(previous_passed_runs, previous_decided_runs) end as previous_pass_rate
    from placed
)

select
    rated.result_id, -- Cekura's id of the result
    rated.result_name, -- name of the result
    rated.agent_id, -- Cekura's id of the agent
    rated.agent_name, -- name of the agent in this result
    rated.channel, -- voice or text
    rated.created_at, -- when the result was triggered
    rated.decided_runs, -- decided runs of this result; NULL when the API does not say how many passed
    rated.passed_runs, -- how many of them passed
    rated.pass_rate, -- passed_runs / decided_runs
    case when comparable then previous_result_id end as previous_result_id, -- the newest of the results that it is compared with
    case when comparable then previous_results end as previous_results, -- number of results that it is compared with, at most 10
    cast(case when comparable then previous_decided_runs end as bigint) as previous_decided_runs, -- their decided runs
    cast(case when comparable then previous_passed_runs end as bigint) as previous_passed_runs, -- how many of them passed
    rated.previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    pass_rate - previous_pass_rate as difference, -- pass_rate - previous_pass_rate, over all runs
    pass_rate - previous_pass_rate - adjusted_difference as mix_effect, -- the part of difference that is due to which scenarios ran, and how often
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    coalesce(shared_scenarios, 0) as shared_scenarios, -- scenarios that ran on both sides
    rate(coalesce(covered_runs, 0), decided_runs + coalesce(previous_decided_runs, 0)) as covered_share, -- the share of these runs that belong to shared scenarios
    p_value, -- how often chance alone gives an adjusted_difference at least this far from 0
    smallest_visible_difference, -- the smallest true difference that a comparison like this one detects in 80 % of cases
    verdict, -- improved, same or regressed, corrected for the number of results of the same UTC day; NULL if there is none, see no_verdict_because
    coalesce(possible, false) as possible, -- whether the interval excludes 0 although the verdict is same
    case when verdict is null then 
        case when judged then coalesce(no_verdict_because, 'no decided runs on one side') else 'not of the newest 35 days' end
    end as no_verdict_because -- why there is no verdict
from rated
left join comparisons on comparisons.comparison = rated.result_id
