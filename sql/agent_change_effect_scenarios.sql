-- One row per agent, time of a noted change and scenario: how much the scenario contributes to the difference in agent_change_effect.
-- Contributions add up to the adjusted_difference; the most negative ones come first.
with runs as (
    select
        results.step as comparison,
        results.is_after,
        runs.scenario_key as scenario,
        runs.passed,
        runs.run_id,
        runs.scenario_id,
        runs.scenario_name
    from analytics.agent_change_results as results
    inner join analytics.runs as runs on runs.result_id = results.result_id
    where runs.passed is not null
),

scenarios as (
    select *
    from named_scenarios(runs) as compared
)

select
    changes.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    changes.changed_at, -- when the change was made
    scenarios.scenario_id, -- Cekura's id of the scenario; NULL where the API sends only its name
    scenarios.scenario as scenario_key, -- identifies the scenario: its id, or 'name ' and its name if it has no id
    scenarios.scenario_name, -- its name in its newest run (the run with the greatest id)
    scenarios.before_runs as before_decided_runs, -- its decided runs before the change
    scenarios.before_passed as before_passed_runs, -- how many of them passed
    scenarios.before_rate as before_pass_rate, -- before_passed_runs / before_decided_runs
    scenarios.after_runs as after_decided_runs, -- its decided runs after the change
    scenarios.after_passed as after_passed_runs, -- how many of them passed
    scenarios.after_rate as after_pass_rate, -- after_passed_runs / after_decided_runs
    coalesce(scenarios.weight, 0) as weight, -- its weight in the adjusted_difference, 0 to 1; 0 when it ran on only one side
    scenarios.weight * (after_rate - before_rate) as contribution -- weight * (after_pass_rate - before_pass_rate); NULL when it ran on only one side
from scenarios
inner join analytics.agent_changes as changes on changes.step = scenarios.comparison
left join analytics.agents as agents on agents.agent_id is not distinct from changes.agent_id
order by changes.changed_at desc, coalesce(weight * (after_rate - before_rate), 0), changes.agent_id, scenarios.scenario
