-- One row: how fresh the data is, and what has not come to an end.
select
    last_sync_at at time zone 'UTC' as last_sync_at, -- when the last sync that is in this file was completed, in UTC
    last_full_sync_at at time zone 'UTC' as last_full_sync_at, -- the same of the last full sync
    overdue_at at time zone 'UTC' as overdue_at, -- when to presume that the job has stopped, in UTC
    (select max(last_result_at) at time zone 'UTC' from analytics.agents) as newest_result_at, -- when the newest result was triggered, in UTC
    live_results, -- results that are not deleted
    in_flight_results, -- results that have not come to an end
    (select count(*) from analytics.stuck_results) as stuck_results -- those in flight for more than an hour
from analytics.sync_status
