-- One row per completed result, beside the one before it with the same agent, name and channel that has decided runs.
-- Verdict: improved or regressed when the interval of the difference excludes 0, else same; NULL without a comparison.
with completed as (
    select
        result_id, result_name, agent_id, agent_name, channel, created_at, decided_runs, passed_runs,
        coalesce(decided_runs, 0) > 0 as comparable
    from analytics.results
    where status_group = 'completed'
),

paired as (
    select
        *,
        lag(result_id) over earlier as previous_result_id,
        lag(decided_runs) over earlier as previous_decided_runs,
        lag(passed_runs) over earlier as previous_passed_runs
    from completed
    window earlier as (partition by agent_id, result_name, channel, comparable order by created_at, result_id)
),

compared as (
    select
        *,
        rate(passed_runs, decided_runs) - rate(previous_passed_runs, previous_decided_runs) as difference,
        newcombe_low(passed_runs, decided_runs, previous_passed_runs, previous_decided_runs) as difference_low,
        newcombe_high(passed_runs, decided_runs, previous_passed_runs, previous_decided_runs) as difference_high
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
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    case when comparable then previous_result_id end as previous_result_id, -- the result that it is compared with
    case when comparable then previous_decided_runs end as previous_decided_runs, -- runs of that result
    case when comparable then previous_passed_runs end as previous_passed_runs, -- how many of those passed
    rate(previous_passed_runs, previous_decided_runs) as previous_pass_rate, -- the ratio of these two
    difference, -- pass_rate - previous_pass_rate
    difference_low, -- lower end of Newcombe's 95 % interval of the difference
    difference_high, -- upper end of Newcombe's 95 % interval of the difference
    verdict(difference_low, difference_high) as verdict -- improved, same, regressed
from compared
