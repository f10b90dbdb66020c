-- One row per agent and UTC day on which results were triggered that have ended: how many results the infrastructure failed,
-- and how many runs of completed results were lost.
-- To count the lost runs of failed and timed-out results too, count the runs in analytics.runs with the outcome infrastructure_failure.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

ended as (
    select agent_id, created_on, status, status_group, runs, lost_runs
    from analytics.results
    where status_group <> 'in_flight' and created_on is not null
),

days as (
    select
        agent_id,
        created_on as day,
        count(*) filter (where status_group = 'completed') as completed,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'timeout') as timeout,
        count(*) filter (where status_group = 'cancelled') as cancelled,
        cast(coalesce(sum(case when status_group = 'completed' then runs end), 0) as bigint) as completed_runs,
        cast(coalesce(sum(lost_runs), 0) as bigint) as lost_runs
    from ended
    group by agent_id, created_on
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    days.day, -- UTC day
    days.completed, -- number of results with status completed
    days.failed, -- number of results with status failed: the infrastructure failed, not the agent
    days.timeout, -- number of results with status timeout
    days.cancelled, -- number of results with status cancelled
    cast(failed + timeout as double)
        / nullif(completed + failed + timeout, 0) as share, -- (failed + timeout) / (completed + failed + timeout): a share of results, not of runs
    days.completed_runs as runs, -- number of runs of the completed results
    days.lost_runs, -- how many of these runs neither passed nor failed; runs of failed and timed-out results are not included
    rate(days.lost_runs, days.completed_runs) as run_loss_rate -- lost_runs / runs: a share of runs
from days
inner join agents on agents.agent_id is not distinct from days.agent_id
