-- One row per run that failed in a scenario to look at: the newest three of each.
with failed as (
    select
        judged_runs.comparison,
        judged_runs.scenario,
        judged_runs.run_id,
        judged_runs.result_id,
        row_number() over (
            partition by judged_runs.comparison, judged_runs.scenario order by judged_runs.run_id desc
        ) as place
    from judged_runs
    inner join scenarios_to_look_at as scenarios
        on scenarios.comparison = judged_runs.comparison
        and scenarios.scenario = judged_runs.scenario
    where judged_runs.is_after and not judged_runs.passed
)

select comparison, scenario, run_id, result_id
from failed
where place <= 3
order by comparison, scenario, place
