-- One row per change that the team has noted and agent that it concerns: whether it helped, the newest first.
select
    agent_label(agent_name, agent_id) as agent, -- its newest name, with its id
    changed_at at time zone 'UTC' as changed_at, -- when the change was made, in UTC
    note, -- what the team noted about it
    before_decided_runs, -- decided runs before the change
    before_pass_rate, -- how many of them passed
    after_decided_runs, -- decided runs after the change
    after_pass_rate, -- how many of them passed
    adjusted_difference, -- the difference within the scenarios that ran on both sides
    adjusted_low, -- lower end of its 95 % interval
    adjusted_high, -- upper end of its 95 % interval
    verdict -- improved, same, regressed; NULL without a comparison
from analytics.agent_change_effect
order by changed_at desc, agent, note
