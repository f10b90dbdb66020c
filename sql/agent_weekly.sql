-- One row per agent and week, from the week of its first result to the week of its last. A week begins on Monday, in UTC.
-- Weeks without a result have counts 0 and rates NULL. The newest week may not be over yet.
with days as (
    select
        agent_id,
        agent_name,
        cast(date_trunc('week', day) as date) as week,
        completed_results,
        decided_runs,
        passed_runs,
        infrastructure_failed_results
    from analytics.agent_daily
),

weeks as (
    select
        agent_id,
        agent_name,
        week,
        date_diff('day', cast('1970-01-01' as date), week) as day_number,
        cast(sum(completed_results) as bigint) as completed_results,
        cast(sum(decided_runs) as bigint) as decided_runs,
        cast(sum(passed_runs) as bigint) as passed_runs,
        cast(sum(infrastructure_failed_results) as bigint) as infrastructure_failed_results
    from days
    group by agent_id, agent_name, week
)

select
    agent_id, -- Cekura's id of the agent
    agent_name, -- its newest name
    week, -- Monday of the week
    completed_results, -- results with status completed
    decided_runs, -- decided runs of completed results
    passed_runs, -- decided runs that passed
    cast(passed_runs as double) / nullif(decided_runs, 0) as pass_rate, -- passed_runs / decided_runs of the week
    infrastructure_failed_results, -- results with status failed or timeout
    cast(sum(passed_runs) over seven_weeks as double)
        / nullif(sum(decided_runs) over seven_weeks, 0) as pass_rate_moving, -- the pass rate of 7 weeks: this week and the 6 weeks before it together; the newest week may not be over yet
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high -- upper end of the Wilson 95 % interval of pass_rate
from weeks
window seven_weeks as (
    partition by agent_id order by day_number nulls first -- no day is NULL, but BigQuery needs this
    range between 42 preceding and current row
)
