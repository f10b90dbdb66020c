-- One row per agent and UTC day of the last 90 on which a result ended: results and runs that the infrastructure lost, with 95 % intervals.
with as_of as (
    select cast(coalesce(last_sync_at, current_timestamp) at time zone 'UTC' as date) as today
    from analytics.sync_status
)

select
    agent_label(daily.agent_name, daily.agent_id) as agent, -- its newest name, with its id
    daily.day, -- UTC day
    daily.completed, -- results with status completed
    daily.failed, -- results with status failed: the infrastructure, not the agent
    daily.timeout, -- results with status timeout
    daily.cancelled, -- results with status cancelled
    daily.completed + daily.failed + daily.timeout as ended_results, -- results that ended and were not cancelled
    daily.failed + daily.timeout as lost_results, -- those of them that failed or timed out
    daily.share as lost_share, -- lost_results / ended_results
    wilson_low(daily.failed + daily.timeout, daily.completed + daily.failed + daily.timeout) as lost_share_low, -- lower end of its 95 % interval
    wilson_high(daily.failed + daily.timeout, daily.completed + daily.failed + daily.timeout) as lost_share_high, -- upper end of its 95 % interval
    daily.runs, -- runs of the completed results
    daily.lost_runs -- those of them that neither passed nor failed: the infrastructure again
from analytics.infrastructure_failures_daily as daily
inner join as_of on daily.day between as_of.today - 89 and as_of.today
order by daily.day, agent
