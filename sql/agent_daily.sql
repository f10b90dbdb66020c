-- One row per agent and UTC day, from the day of its first result to the day of its last. A result belongs to the day on which it was triggered.
-- Days without a result have counts 0 and rates NULL.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

results as (
    select agent_id, created_on, status_group, decided_runs, passed_runs
    from analytics.results
),

days as (
    select
        agent_id,
        created_on as day,
        count(*) filter (where status_group = 'completed') as completed_results,
        coalesce(sum(decided_runs), 0) as decided_runs,
        coalesce(sum(passed_runs), 0) as passed_runs,
        count(*) filter (where status_group = 'infrastructure_failure') as infrastructure_failed_results
    from results
    where created_on is not null
    group by agent_id, created_on
),

digits as (
    select 0 as digit
    union all select 1 union all select 2 union all select 3
    union all select 4 union all select 5 union all select 6
    union all select 7 union all select 8 union all select 9
),

-- The last 10,000 days. Other gaps are not filled, so that one result dated 9998 does not make millions of rows.
calendar as (
    select
        cast(current_timestamp at time zone 'UTC' as date)
        - (ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit) as day
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
),

spans as (
    select agent_id, min(day) as first_day, max(day) as last_day
    from days
    group by agent_id
),

all_days as (
    select spans.agent_id, calendar.day
    from spans
    inner join calendar on calendar.day between spans.first_day and spans.last_day
    union
    select agent_id, day
    from days
),

filled as (
    select
        all_days.agent_id,
        all_days.day,
        date_diff('day', cast('1970-01-01' as date), all_days.day) as day_number,
        cast(coalesce(days.completed_results, 0) as bigint) as completed_results,
        cast(coalesce(days.decided_runs, 0) as bigint) as decided_runs,
        cast(coalesce(days.passed_runs, 0) as bigint) as passed_runs,
        cast(coalesce(days.infrastructure_failed_results, 0) as bigint) as infrastructure_failed_results
    from all_days
    left join days on days.agent_id is not distinct from all_days.agent_id and days.day = all_days.day
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    filled.day, -- UTC day
    filled.completed_results, -- results with status completed
    filled.decided_runs, -- decided runs of completed results
    filled.passed_runs, -- decided runs that passed
    cast(passed_runs as double) / nullif(decided_runs, 0) as pass_rate, -- passed_runs / decided_runs of the day
    filled.infrastructure_failed_results, -- results with status failed or timeout
    cast(sum(passed_runs) over seven_days as double)
        / nullif(sum(decided_runs) over seven_days, 0) as pass_rate_moving, -- the pass rate of 7 days: this day and the 6 days before it together; the newest day may not be over yet
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high -- upper end of the Wilson 95 % interval of pass_rate
from filled
inner join agents on agents.agent_id is not distinct from filled.agent_id
window seven_days as (
    partition by filled.agent_id order by filled.day_number nulls first -- no day is NULL, but BigQuery needs this
    range between 6 preceding and current row
)
