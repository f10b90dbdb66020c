-- One row per agent and personality of the caller: how often runs with it pass.
-- Covers runs of completed results whose details were read: empty without `sync --details`. Runs without a personality share one row with personality_name NULL.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

sums as (
    select
        agent_id,
        personality_name,
        count(*) as runs,
        count(passed) as decided_runs,
        count(*) filter (where passed) as passed_runs
    from analytics.run_details
    where result_status_group = 'completed'
    group by agent_id, personality_name
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    sums.personality_name, -- the personality that the caller played
    sums.runs, -- runs with it
    sums.decided_runs, -- those that passed or failed
    sums.passed_runs, -- decided runs that passed
    rate(passed_runs, decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(passed_runs, decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(passed_runs, decided_runs) as pass_rate_high -- upper end of the Wilson 95 % interval of pass_rate
from sums
inner join agents on agents.agent_id is not distinct from sums.agent_id
