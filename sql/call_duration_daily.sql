-- One row per agent and UTC day with calls: how long they took, in seconds.
-- Runs of completed results whose details were read, other than those in text mode; percentiles are interpolated.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

days as (
    select
        agent_id,
        created_on as day,
        count(*) as calls,
        avg(duration_seconds) as mean_seconds,
        percentile_cont(0.5) within group (order by duration_seconds) as p50_seconds,
        percentile_cont(0.9) within group (order by duration_seconds) as p90_seconds,
        percentile_cont(0.95) within group (order by duration_seconds) as p95_seconds,
        max(duration_seconds) as longest_seconds
    from analytics.run_details
    where result_status_group = 'completed'
        and created_on is not null
        and duration_seconds is not null
        and channel is distinct from 'text'
    group by agent_id, created_on
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    days.day, -- UTC day on which the results were triggered
    days.calls, -- calls of known duration
    days.mean_seconds, -- their mean duration
    days.p50_seconds, -- half of them took no longer: the median
    days.p90_seconds, -- nine of ten took no longer
    days.p95_seconds, -- nineteen of twenty took no longer
    days.longest_seconds -- the longest took so long
from days
inner join agents on agents.agent_id is not distinct from days.agent_id
