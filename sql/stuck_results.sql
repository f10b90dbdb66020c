-- One row per result that had been in flight for more than an hour when the last sync looked.
-- Measured against the sync, not the clock: a warehouse that nobody refreshes proves nothing about the API.
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
    in_flight.agent_name, -- name of the agent as this result carries it
    in_flight.status, -- status in the API's own word
    in_flight.created_at as in_flight_since, -- when it was triggered
    in_flight.updated_at, -- when it last changed, by the API's word
    in_flight.synced_at -- when its content last changed in this warehouse
from in_flight
inner join syncs on in_flight.created_at < syncs.last_sync_at - interval '1 hour'
