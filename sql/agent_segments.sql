-- One row per agent, channel, direction and trigger: the same rates for each way in which an agent is tested.
-- Where a result does not say, its segment has NULL.
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
),

-- x passes of n, z for 95 %: the letters of the interval's formula.
counts as (
    select
        *,
        cast(passed_runs as double) as x,
        nullif(cast(decided_runs as double), 0) as n,
        cast(1.959963984540054 as double) as z
    from sums
)

-- Wilson's score interval: R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    counts.channel, -- voice or text
    counts.direction, -- inbound or outbound
    counts.trigger, -- scheduled or manual
    counts.results, -- live results, whatever their status
    counts.completed_results, -- results with status completed
    counts.decided_runs, -- runs of completed results
    counts.passed_runs, -- decided runs that passed
    x / n as pass_rate, -- passed_runs / decided_runs
    (x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4))
        / (n + z * z) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    1 - (n - x + z * z / 2 - z * sqrt(x * (n - x) / n + z * z / 4))
        / (n + z * z) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    counts.infrastructure_failed_results, -- results with status failed or timeout
    cast(infrastructure_failed_results as double)
        / nullif(completed_results + infrastructure_failed_results, 0) as infrastructure_failure_rate, -- of what ended uncancelled
    counts.last_result_at -- when the segment's newest result was triggered
from counts
inner join agents on agents.agent_id is not distinct from counts.agent_id
