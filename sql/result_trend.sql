-- One row per completed result, beside the one before it with the same agent, name and channel that has decided runs.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with completed as (
    select
        result_id, result_name, agent_id, agent_name, channel, created_at, decided_runs, passed_runs,
        coalesce(decided_runs, 0) > 0 as comparable,
        cast(passed_runs as double) as x,
        nullif(cast(decided_runs as double), 0) as n,
        cast(1.959963984540054 as double) as z -- for 95 %
    from analytics.results
    where status_group = 'completed'
),

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
rated as (
    select
        *,
        x / n as p,
        (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as low,
        1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4)) / (n + z * z) as high
    from completed
),

paired as (
    select
        *,
        lag(result_id) over earlier as previous_result_id,
        lag(decided_runs) over earlier as previous_decided_runs,
        lag(passed_runs) over earlier as previous_passed_runs,
        lag(p) over earlier as previous_p,
        lag(low) over earlier as previous_low,
        lag(high) over earlier as previous_high
    from rated
    window earlier as (partition by agent_id, result_name, channel, comparable order by created_at, result_id)
),

-- The difference of two proportions: R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
compared as (
    select
        *,
        p - previous_p as difference,
        p - previous_p - sqrt((p - low) * (p - low) + (previous_high - previous_p) * (previous_high - previous_p))
            as difference_low,
        p - previous_p + sqrt((high - p) * (high - p) + (previous_p - previous_low) * (previous_p - previous_low))
            as difference_high
    from paired
)

select
    result_id, -- Cekura's id of the result
    result_name, -- name of the result
    agent_id, -- Cekura's id of the agent
    agent_name, -- name of the agent as this result carries it
    channel, -- voice or text
    created_at, -- when the result was triggered
    decided_runs, -- runs of this result; NULL when nobody reported how many passed
    passed_runs, -- how many of them passed
    p as pass_rate, -- passed_runs / decided_runs
    case when comparable then previous_result_id end as previous_result_id, -- the result that it is compared with
    case when comparable then previous_decided_runs end as previous_decided_runs, -- runs of that result
    case when comparable then previous_passed_runs end as previous_passed_runs, -- how many of those passed
    previous_p as previous_pass_rate, -- the ratio of these two
    difference, -- pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    case
        when difference_low > 0 then 'improved'
        when difference_high < 0 then 'regressed'
        when difference is not null then 'same'
    end as verdict -- improved, same, regressed
from compared
