-- One row, always: how fresh this warehouse is. Before the first sync its times are NULL.
with syncs as (
    select
        finished_at,
        mode,
        scope,
        watermark,
        row_number() over (order by finished_at desc, started_at desc) as newest_first
    from cekura.sync_log
),

last_sync as (
    select
        max(finished_at) as finished_at,
        max(mode) as mode,
        max(scope) as scope,
        max(watermark) as watermark
    from syncs
    where newest_first = 1
),

-- A full sync of another scope says nothing about this one.
last_full_sync as (
    select max(finished_at) as finished_at
    from syncs
    where mode = 'full' and scope = (select scope from last_sync)
),

live as (
    select
        count(*) as results,
        count(*) filter (where status_group = 'in_flight') as in_flight
    from analytics.live_results
)

select
    last_sync.finished_at as last_sync_at, -- when the last sync that is in this file was completed
    last_sync.mode as last_sync_mode, -- quick or full
    last_sync.scope, -- its filters as JSON, {} for none
    last_full_sync.finished_at as last_full_sync_at, -- when the last full sync of the same scope was completed
    last_sync.watermark, -- the newest updated_at that its scope had when it began; a quick sync reads back from here
    live.results as live_results, -- results that are not deleted
    live.in_flight as in_flight_results -- live results that have not come to an end
from live
cross join last_sync
cross join last_full_sync
