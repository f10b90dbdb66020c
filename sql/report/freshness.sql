-- One row: how current the page's data is, and what a reader must know about it.
-- `today` is the UTC day of the last sync: a page about an old warehouse must not call old days today.
select
    last_sync_at,
    last_full_sync_at,
    live_results,
    in_flight_results,
    cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today,
    (select max(last_result_at) from analytics.agents) as newest_result_at,
    (select count(*) from analytics.stuck_results) as stuck_results
from analytics.sync_status
