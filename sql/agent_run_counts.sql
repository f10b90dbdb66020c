-- One row per agent: how many results and runs it has, by status, channel and trigger. A result of unknown channel counts neither as voice nor as text, and one of unknown trigger neither as scheduled nor as manual.
with agents as (
    select agent_id, agent_name, last_result_at
    from analytics.agents
),

results as (
    select agent_id, status_group, channel, trigger, runs, completed_runs, decided_runs, passed_runs, lost_runs
    from analytics.results
),

counts as (
    select
        agent_id,
        count(*) as results,
        cast(coalesce(sum(runs), 0) as bigint) as runs,
        cast(coalesce(sum(completed_runs), 0) as bigint) as completed_runs,
        cast(coalesce(sum(decided_runs), 0) as bigint) as decided_runs,
        cast(coalesce(sum(passed_runs), 0) as bigint) as passed_runs,
        cast(coalesce(sum(lost_runs), 0) as bigint) as lost_runs,
        count(*) filter (where status_group = 'in_flight') as in_flight_results,
        count(*) filter (where status_group = 'completed') as completed_results,
        count(*) filter (where status_group = 'infrastructure_failure') as infrastructure_failed_results,
        count(*) filter (where status_group = 'cancelled') as cancelled_results,
        count(*) filter (where channel = 'voice') as voice_results,
        count(*) filter (where channel = 'text') as text_results,
        count(*) filter (where trigger = 'scheduled') as scheduled_results,
        count(*) filter (where trigger = 'manual') as manual_results
    from results
    group by agent_id
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    counts.results, -- live results of any status
    counts.runs, -- runs of these results
    counts.completed_runs, -- runs that ended, as counted by the API
    counts.decided_runs, -- runs of completed results that passed or failed
    counts.passed_runs, -- decided runs that passed
    counts.lost_runs, -- runs of completed results that neither passed nor failed; runs of failed and timed-out results are not included
    counts.in_flight_results, -- results that have not ended
    counts.completed_results, -- results with status completed
    counts.infrastructure_failed_results, -- results with status failed or timeout
    counts.cancelled_results, -- results with status cancelled
    counts.voice_results, -- results run by voice
    counts.text_results, -- results run as text
    counts.scheduled_results, -- results that a schedule triggered
    counts.manual_results, -- results that somebody triggered
    agents.last_result_at -- when its newest result was triggered
from counts
inner join agents on agents.agent_id is not distinct from counts.agent_id
