-- One row per agent and scenario that ran in completed results: how often the agent passes it.
-- Over all results in the warehouse; for recent weeks use agent_last_week_scenarios.
with agents as (
    select agent_id, agent_name
    from analytics.agents
),

completed as (
    select
        agent_id,
        scenario_id,
        case when scenario_id is null then scenario_name end as name_without_id,
        run_id,
        scenario_name,
        passed,
        created_at
    from analytics.runs
    where result_status_group = 'completed'
),

sums as (
    select
        agent_id,
        scenario_id,
        name_without_id,
        max(case when scenario_name is not null then run_id end) as last_named_run_id,
        count(*) as runs,
        count(passed) as decided_runs,
        count(*) filter (where passed) as passed_runs,
        max(case when not passed then created_at end) as last_failed_at
    from completed
    group by agent_id, scenario_id, name_without_id
)

select
    agents.agent_id, -- Cekura's id of the agent
    agents.agent_name, -- its newest name
    sums.scenario_id, -- Cekura's id of the scenario; NULL where the API sends only its name
    scenario_key(sums.scenario_id, sums.name_without_id) as scenario_key, -- identifies the scenario: its id, or 'name ' and its name if it has no id
    names.scenario_name, -- its name in its newest run (the run with the greatest id)
    sums.runs, -- runs of it in completed results
    sums.decided_runs, -- those that passed or failed
    sums.passed_runs, -- decided runs that passed
    rate(sums.passed_runs, sums.decided_runs) as pass_rate, -- passed_runs / decided_runs
    wilson_low(sums.passed_runs, sums.decided_runs) as pass_rate_low, -- lower end of the Wilson 95 % interval of pass_rate
    wilson_high(sums.passed_runs, sums.decided_runs) as pass_rate_high, -- upper end of the Wilson 95 % interval of pass_rate
    runs_needed(sums.passed_runs, sums.decided_runs, 0.05) as runs_needed, -- how many runs make this interval 0.1 wide (5 points to either side) at the same pass rate
    sums.last_failed_at -- when the newest result with a failed run of it was triggered
from sums
inner join agents on agents.agent_id is not distinct from sums.agent_id
left join analytics.runs as names on names.run_id = sums.last_named_run_id
