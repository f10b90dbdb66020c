-- One row per agent, channel, direction and trigger: the same rates for each way in which an agent is tested.
-- What a result does not say is NULL.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

results as (
    select agent_id, channel, direction, trigger, status_group, decided_runs, passed_runs, created_at
    from analytics.results
),

sums as (
    select
        agent_id,
        channel,
        direction,
        trigger,
        count(*) as results,
        count(*) filter (where status_group = 'completed') as completed_results,
        count(*) filter (where status_group = 'infrastructure_failure') as infrastructure_failed_results,
        cast(coalesce(sum(decided_runs), 0) as bigint) as decided_runs,
        cast(coalesce(sum(passed_runs), 0) as bigint) as passed_runs,
        max(created_at) as last_result_at
    from results
    group by agent_id, channel, direction, trigger
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    sums.channel, -- voice or text
    sums.direction, -- inbound or outbound
    sums.trigger, -- scheduled or manual
    sums.results, -- live results of any status
    sums.completed_results, -- results with status completed
    sums.decided_runs, -- decided runs of completed results
    sums.passed_runs, -- decided runs that passed
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    sums.infrastructure_failed_results, -- results with status failed or timeout
    rate(infrastructure_failed_results, completed_results + infrastructure_failed_results) as infrastructure_failure_rate, -- infrastructure_failed_results / (completed_results + infrastructure_failed_results)
    sums.last_result_at -- when the segment's newest result was triggered
from sums
inner join agents on agents.agent_id is not distinct from sums.agent_id
