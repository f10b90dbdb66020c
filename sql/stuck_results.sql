-- One row per result that had been in flight for more than an hour at the last sync.
-- The hour is counted up to the last sync, not up to now, because an old warehouse does not show whether a result has ended since.
with syncs as (
    select coalesce(last_sync_at, current_timestamp) as last_sync_at
    from analytics.sync_status
),

in_flight as (
    select result_id, result_name, agent_id, agent_name, status, created_at, updated_at, synced_at
    from analytics.live_results
    where status_group = 'in_flight'
)

select
    in_flight.result_id, -- Cekura's id of the result
    in_flight.result_name, -- name of the result
    in_flight.agent_id, -- Cekura's id of the agent
    in_flight.agent_name, -- name of the agent in this result
    in_flight.status, -- status as the API sends it
    in_flight.created_at as in_flight_since, -- when it was triggered
    in_flight.updated_at, -- when it last changed, according to the API
    in_flight.synced_at -- when its content last changed in this warehouse
from in_flight
inner join syncs on in_flight.created_at < syncs.last_sync_at - interval '1 hour'
