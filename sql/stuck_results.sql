-- One row per result that had been in flight for more than an hour when a sync last looked at it.
-- The hour is counted up to the last sync of all agents or of this one, not up to now: nobody knows whether the result has ended since.
with syncs as (
    select scope, max(finished_at) as finished_at
    from cekura.sync_log
    where finished_at <= (select last_sync_at from analytics.sync_status)
    group by scope
    union all
    -- Where nobody keeps a log of syncs.
    select '{}' as scope, current_timestamp as finished_at
    from analytics.sync_status
    where last_sync_at is null
),

in_flight as (
    select
        result_id, result_name, agent_id, agent_name, status, updated_at, synced_at,
        coalesce(_in_flight_since, created_at) as in_flight_since
    from analytics.live_results
    where status_group = 'in_flight'
),

-- A sync reads every result in flight again, but with --agent-id only those of that agent.
looks as (
    select in_flight.result_id, max(syncs.finished_at) as looked_at
    from in_flight
    inner join syncs
        on syncs.scope not like '%"agent_id": "%'
        or syncs.scope like '%"agent_id": "' || cast(in_flight.agent_id as varchar) || '"%'
    group by in_flight.result_id
)

select
    in_flight.result_id, -- Cekura's id of the result
    in_flight.result_name, -- name of the result
    in_flight.agent_id, -- Cekura's id of the agent
    in_flight.agent_name, -- name of the agent in this result
    in_flight.status, -- status as the API sends it
    in_flight.in_flight_since, -- when it was triggered, or when a sync saw that it ran again
    in_flight.updated_at, -- when it last changed, according to the API
    in_flight.synced_at -- when its content last changed in this warehouse
from in_flight
inner join looks on looks.result_id = in_flight.result_id
where in_flight.in_flight_since < looks.looked_at - interval '1 hour'
