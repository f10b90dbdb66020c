-- One row per agent, time of a noted change and result with decided runs in the period before or after the change.
-- agent_change_effect and agent_change_effect_scenarios compare these results.
select
    changes.step, -- number of the change in agent_changes (one agent and one time), not a change of the rate as in agent_change_point
    changes.agent_id, -- the agent
    changes.changed_at, -- when the change was made
    results.result_id, -- the result
    results.created_on as day, -- UTC day on which it was triggered
    results.created_at >= changes.changed_at as is_after, -- whether it was triggered at or after the time of the change
    results.decided_runs, -- its decided runs
    results.passed_runs -- how many of them passed
from analytics.agent_changes as changes
inner join analytics.results as results
    on results.agent_id is not distinct from changes.agent_id
    and results.created_at >= changes.before_since
    and results.created_at < changes.after_until
where results.decided_runs > 0
