-- One row per agent and UTC day with calls: how long they took, in seconds.
-- Covers runs of completed results, except those in text mode. Durations come from the list of results, or else from the run's details. Percentiles are interpolated.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

details as (
    select run_id, result_id, agent_id, created_on, channel, result_status_group, duration_seconds
    from analytics.run_details
),

listed as (
    select
        runs.run_id,
        runs.result_id,
        runs.agent_id,
        cast(runs.created_at at time zone 'UTC' as date) as created_on,
        runs.channel,
        runs.result_status_group,
        runs.duration_seconds
    from analytics.runs as runs
),

durations as (
    select
        listed.agent_id,
        listed.created_on,
        listed.channel,
        listed.result_status_group,
        coalesce(listed.duration_seconds, details.duration_seconds) as duration_seconds
    from listed
    left join details on details.result_id = listed.result_id and details.run_id = listed.run_id
    union all
    select
        details.agent_id,
        details.created_on,
        details.channel,
        details.result_status_group,
        details.duration_seconds
    from details
    left join listed on listed.result_id = details.result_id and listed.run_id = details.run_id
    where listed.run_id is null
),

calls as (
    select
        agent_id,
        created_on as day,
        duration_seconds,
        row_number() over (partition by agent_id, created_on order by duration_seconds) - 1 as place,
        count(*) over (partition by agent_id, created_on) - 1 as last_place
    from durations
    where result_status_group = 'completed'
        and created_on is not null
        and duration_seconds is not null
        and channel is distinct from 'text'
),

days as (
    select
        agent_id,
        day,
        count(*) as calls,
        avg(duration_seconds) as mean_seconds,
        sum(duration_seconds * percentile_weight(place, last_place, 0.5)) as p50_seconds,
        sum(duration_seconds * percentile_weight(place, last_place, 0.9)) as p90_seconds,
        sum(duration_seconds * percentile_weight(place, last_place, 0.95)) as p95_seconds,
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
    days.p50_seconds, -- median duration: half of the calls took no longer
    days.p90_seconds, -- 90th percentile: nine of ten calls took no longer
    days.p95_seconds, -- 95th percentile: nineteen of twenty calls took no longer
    days.longest_seconds -- duration of the longest call
from days
inner join agents on agents.agent_id is not distinct from days.agent_id
