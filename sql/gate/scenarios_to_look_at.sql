-- One row per agent that got worse and scenario that explains it: those that drive the fall, or, if the pass rate is
-- below the minimum, the five with the most failed runs.
select
    scenarios.comparison,
    scenarios.scenario,
    scenarios.scenario_id,
    scenarios.scenario_name,
    scenarios.after_runs as decided_runs,
    scenarios.after_passed as passed_runs,
    scenarios.after_rate as pass_rate,
    scenarios.before_runs as baseline_decided_runs,
    scenarios.before_passed as baseline_passed_runs,
    scenarios.before_rate as baseline_pass_rate,
    scenarios.contribution,
    scenarios.flaky,
    row_number() over (
        partition by scenarios.comparison order by scenarios.contribution, scenarios.failures_place, scenarios.scenario
    ) as place
from judged_scenarios as scenarios
inner join judged_agents as agents on agents.comparison = scenarios.comparison
where (agents.because = 'fell' and scenarios.drives_fall)
    or (agents.because = 'below the minimum' and scenarios.after_passed < scenarios.after_runs and scenarios.failures_place <= 5)
order by scenarios.comparison, place
