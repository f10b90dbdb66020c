-- One row per agent and UTC day with calls: how long they took, in seconds.
-- Runs of completed results whose details were read, other than those in text mode; percentiles are interpolated.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

calls as (
    select
        agent_id,
        created_on as day,
        duration_seconds,
        row_number() over (partition by agent_id, created_on order by duration_seconds) - 1 as place,
        count(*) over (partition by agent_id, created_on) - 1 as last_place
    from analytics.run_details
    where result_status_group = 'completed'
        and created_on is not null
        and duration_seconds is not null
        and channel is distinct from 'text'
),

-- A percentile lies between two neighbours and takes from each the more the nearer it is; not every engine has a word for it.
days as (
    select
        agent_id,
        day,
        count(*) as calls,
        avg(duration_seconds) as mean_seconds,
        sum(duration_seconds * greatest(0, 1 - abs(place - 0.5 * last_place))) as p50_seconds,
        sum(duration_seconds * greatest(0, 1 - abs(place - 0.9 * last_place))) as p90_seconds,
        sum(duration_seconds * greatest(0, 1 - abs(place - 0.95 * last_place))) as p95_seconds,
        max(duration_seconds) as longest_seconds
    from calls
    group by agent_id, day
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
