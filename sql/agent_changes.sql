-- One row per agent and instant at which the team has noted a change that concerns it: how far the runs before and after reach.
-- Both sides reach to the agent's neighbouring change, 14 days at most. A change without an agent concerns every agent.
with noted as (
    select agent_id, changed_at
    from cekura.changes
),

-- Changes of one instant are one step.
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
    row_number() over (order by changed_at, agent_id) as step, -- a number of its own
    agent_id, -- the agent
    changed_at, -- when the change was made
    case when change_before > earliest then change_before else earliest end as before_since, -- the runs before reach from here up to the change
    case when change_after < latest then change_after else latest end as after_until -- the runs after reach from the change up to here
from reaches
