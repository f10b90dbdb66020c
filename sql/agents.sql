-- One row per agent that has a live result, under its newest name. Results without an agent share one row with agent_id NULL.
with results as (
    select result_id, agent_id, agent_name, created_at
    from analytics.live_results
),

agents as (
    select
        agent_id,
        count(*) as results,
        min(created_at) as first_result_at,
        max(created_at) as last_result_at,
        max(case when agent_name is not null then created_at end) as last_named_at
    from results
    group by agent_id
),

-- Among results of the same time the greatest id decides.
last_named as (
    select agents.agent_id, max(results.result_id) as result_id
    from agents
    inner join results
        on results.agent_id is not distinct from agents.agent_id
        and results.created_at = agents.last_named_at
    where results.agent_name is not null
    group by agents.agent_id
),

names as (
    select results.agent_id, results.agent_name
    from last_named
    inner join results on results.result_id = last_named.result_id
)

select
    agents.agent_id, -- Cekura's id of the agent
    names.agent_name, -- its name in its newest result that has one
    agents.results, -- live results of any status
    agents.first_result_at, -- when its first result was triggered
    agents.last_result_at -- when its newest result was triggered
from agents
left join names on names.agent_id is not distinct from agents.agent_id
