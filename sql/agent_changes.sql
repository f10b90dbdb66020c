-- One row per agent and time of a noted change that concerns it: the periods before and after the change that are compared.
-- Each period is at most 14 days long and stops at the agent's nearest other change. A change without an agent concerns every agent.
with noted as (
    select agent_id, changed_at
    from cekura.changes
),

-- Changes at the same time are one step.
steps as (
    select agent_id, changed_at
    from noted
    where agent_id is not null
    union
    select agents.agent_id, noted.changed_at
    from noted
    cross join analytics.agents as agents
    where noted.agent_id is null
),

-- 336 hours are 14 days in every time zone.
reaches as (
    select
        agent_id,
        changed_at,
        changed_at - interval '336 hours' as earliest,
        changed_at + interval '336 hours' as latest,
        lag(changed_at) over by_time as change_before,
        lead(changed_at) over by_time as change_after
    from steps
    window by_time as (partition by agent_id order by changed_at)
)

select
    row_number() over (order by changed_at, agent_id) as step, -- number of the change (one agent and one time), not a change of the rate as in agent_change_point; a new change can renumber the others
    agent_id, -- the agent
    changed_at, -- when the change was made
    case when change_before > earliest then change_before else earliest end as before_since, -- start of the period before the change
    case when change_after < latest then change_after else latest end as after_until -- end of the period after the change
from reaches
