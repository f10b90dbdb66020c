-- One row per agent and scenario that ran in the last week or the 28 days before: how much it contributes to the change in agent_last_week.
-- Contributions add up to the agent's adjusted_difference; the most negative ones come first.
with agents as (
    select agent_id, agent_name, row_number() over (order by agent_id) as comparison
    from analytics.agents
),

runs as (
    select
        agents.comparison,
        results.of_last_week as is_after,
        runs.scenario_key as scenario,
        runs.passed,
        runs.run_id,
        runs.scenario_id,
        runs.scenario_name
    from analytics.agent_last_week_results as results
    inner join agents on agents.agent_id is not distinct from results.agent_id
    inner join analytics.runs as runs on runs.result_id = results.result_id
    where runs.passed is not null
),

scenarios as (
    select *
    from named_scenarios(runs) as compared
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    scenarios.scenario_id, -- Cekura's id of the scenario; NULL where the API sends only its name
    scenarios.scenario as scenario_key, -- identifies the scenario: its id, or 'name ' and its name if it has no id
    scenarios.scenario_name, -- its name in its newest run (the run with the greatest id)
    scenarios.after_runs as decided_runs, -- its decided runs of the last week
    scenarios.after_passed as passed_runs, -- how many of them passed
    scenarios.after_rate as pass_rate, -- passed_runs / decided_runs
    scenarios.before_runs as previous_decided_runs, -- its decided runs of the 28 days before
    scenarios.before_passed as previous_passed_runs, -- how many of them passed
    scenarios.before_rate as previous_pass_rate, -- previous_passed_runs / previous_decided_runs
    coalesce(scenarios.weight, 0) as weight, -- its weight in the agent's adjusted_difference, 0 to 1; 0 when it ran in only one of the periods
    scenarios.weight * (after_rate - before_rate) as contribution -- weight * (pass_rate - previous_pass_rate); NULL when it ran in only one of the periods
from scenarios
inner join agents on agents.comparison = scenarios.comparison
order by coalesce(weight * (after_rate - before_rate), 0), agents.agent_id, scenarios.scenario
