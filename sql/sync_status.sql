-- One row: how current this warehouse is. Before the first sync its times are NULL.
-- Syncs that find nothing new are recorded once an hour at most, so last_sync_at can be an hour old even if the job runs well.
with logged as (
    select
        finished_at,
        mode,
        scope,
        watermark,
        -- The generation goes first: it only grows, while a clock may have been wrong.
        row_number() over (order by generation desc nulls last, finished_at desc, started_at desc) as newest_first
    from cekura.sync_log
),

last_sync as (
    select
        max(finished_at) as finished_at,
        max(mode) as mode,
        max(scope) as scope,
        max(watermark) as watermark
    from logged
    where newest_first = 1
),

-- A sync that seems to be later than the last one was written while the clock was ahead, so its time is ignored.
syncs as (
    select
        finished_at,
        mode,
        scope,
        lag(finished_at) over (order by finished_at) as previously_finished_at,
        row_number() over (order by finished_at desc) as latest_first
    from logged
    where finished_at <= (select finished_at from last_sync)
),

usual_pause as (
    select
        max(date_diff('second', previously_finished_at at time zone 'UTC', finished_at at time zone 'UTC')) as seconds
    from syncs
    where latest_first <= 20
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
    last_sync.finished_at as last_sync_at, -- when the last recorded sync completed
    last_sync.mode as last_sync_mode, -- quick or full
    last_sync.scope, -- the filters of that sync as JSON; {} means none
    last_full_sync.finished_at as last_full_sync_at, -- when the last full sync with the same filters completed
    last_sync.watermark, -- the newest updated_at of its scope when it began; a quick sync reads the results created since this time minus --lookback
    live.results as live_results, -- results that are not deleted
    live.in_flight as in_flight_results, -- live results that have not ended
    -- 90 minutes: syncs that find nothing new are recorded once an hour, and a sync may take half an hour.
    last_sync.finished_at + (usual_pause.seconds + 5400) * interval '1 second' as overdue_at -- if no later sync is recorded by then, the job has probably stopped: last_sync_at plus the longest of the last 20 pauses between syncs plus 90 minutes; NULL after a single sync
from live
cross join last_sync
cross join usual_pause
cross join last_full_sync
